"""The hook that refuses a server which Hetzner does not offer, in the preview: nothing else has changed by then.

The provider only reports it when it creates the server, after the engine has changed what the server depends on.
"""

from collections.abc import Mapping

import pulumi

from infra.threads import in_thread

CREATION_HOOK = "hetzner-offer"


class NotOfferedError(Exception):
    """Why a server cannot be created. The engine prints the message."""


def server_hooks(hooks: pulumi.ResourceHookBinding, *, token: pulumi.Output[str]) -> pulumi.ResourceHookBinding:
    """The hooks of a server: those of every protected resource, and the check before its creation."""

    async def before_create(resource: pulumi.ResourceHookArgs) -> None:
        await in_thread(check_offered, resource.name, resource.new_inputs or {}, await token.future() or "")

    hook = pulumi.ResourceHook(CREATION_HOOK, before_create, pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceHookBinding(before_create=[hook], before_delete=hooks.before_delete)


def check_offered(alias: str, inputs: Mapping[str, object], token: str) -> None:
    """Raises a NotOfferedError if Hetzner would refuse to create the server. `inputs` are those of the provider.

    A server that exists is not checked: it is imported, or replaced (infra/machines/deletion.py).
    """
    # Imported here, because hardly any run creates a server.
    from infra import hetzner  # noqa: PLC0415

    problem: object
    try:
        api = hetzner.client(token)
        if api.servers.get_by_name(str(inputs["name"])) is not None:
            return
        problem = hetzner.creation_problem(
            api,
            server_type=str(inputs["serverType"]),
            location=str(inputs["location"]),
            image=str(inputs["image"]),
        )
    except hetzner.ERRORS as error:
        problem = f"Hetzner's API returned an error: {error}"
    if problem:
        raise NotOfferedError(f"server {alias} cannot be created: {problem} (honeydue:nodes.{alias})")
