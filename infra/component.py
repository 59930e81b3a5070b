"""What every part of production has in common: nothing of it goes away by accident."""

import pulumi


class Component(pulumi.ComponentResource):
    """A named group of resources, all of them protected; `kind` is its place in the house ("machines:Firewall").

    Protection is inherited by all children. The engine checks it resource by resource: were only servers and volumes
    protected, a `pulumi destroy` without preview would take the ingresses down before it met the first of them. What
    is meant to be replaced says `protect=False` itself.
    """

    def __init__(self, kind: str, name: str, *, provider: pulumi.ProviderResource | None = None) -> None:
        opts = pulumi.ResourceOptions(providers=[provider] if provider else None, protect=True)
        super().__init__(f"honeydue:{kind}", name, None, opts)
