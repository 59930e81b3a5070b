"""The base class of all components: every resource is protected unless it opts out."""

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

import pulumi


class ChildOptions(TypedDict, total=False):
    """Resource options of a child in addition to its parent, named as in `pulumi.ResourceOptions`."""

    aliases: Sequence[pulumi.Alias]
    custom_timeouts: pulumi.CustomTimeouts
    delete_before_replace: bool
    depends_on: Sequence[pulumi.Input[pulumi.Resource]]
    hooks: pulumi.ResourceHookBinding
    ignore_changes: list[str]
    protect: bool | None


class Component(pulumi.ComponentResource):
    """A named group of protected resources. `kind` becomes the Pulumi type token `honeydue:<kind>`.

    The children inherit the protection, the provider and the aliases. All resources are protected and not only servers
    and volumes, because the engine checks the protection of each resource separately: `pulumi destroy` without a
    preview would otherwise delete the ingresses before it reached the first protected resource. A resource that
    releases replace sets `protect=False`. The engine only records the `inputs`, and a plan shows how they change.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        *,
        provider: pulumi.ProviderResource | None = None,
        inputs: Mapping[str, object] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        defaults = pulumi.ResourceOptions(providers=[provider] if provider else None, protect=True)
        super().__init__(f"honeydue:{kind}", name, inputs, pulumi.ResourceOptions.merge(defaults, opts))

    def child_options(self, **options: Unpack[ChildOptions]) -> pulumi.ResourceOptions:
        """The options of a resource that belongs to this component."""
        return pulumi.ResourceOptions(parent=self, **options)
