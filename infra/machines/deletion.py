"""The hook that lifts Hetzner's delete protection before the engine deletes a resource.

The provider does not lift it. Hetzner then refuses the deletion (403 `protected`), after the engine has changed the
firewall and may have deleted records.
"""

import os
from collections.abc import Mapping

import pulumi

from infra.names import ALLOW_DELETE, ANY_RESOURCE, DELETION_HOOK
from infra.settings.schema import Settings
from infra.settings.topology import Node
from infra.threads import in_thread

SERVER = "Server"


class RefusedDeletionError(Exception):
    """Why a resource is not deleted. The engine prints the message."""


def deletion_hooks(settings: Settings, *, token: pulumi.Output[str]) -> pulumi.ResourceHookBinding:
    """The hooks of every resource that Hetzner protects: servers, primary IPs and the network.

    The engine runs the hooks in the old state of a resource. State from before this hook was added has none: Hetzner
    refuses the deletion until one `up` has recorded it. A preview runs the hook too, which then only checks.
    """

    async def before_delete(resource: pulumi.ResourceHookArgs) -> None:
        preview = pulumi.runtime.is_dry_run()
        check_confirmed(resource, replacing=settings.replacing, preview=preview)
        new_server = replacement(resource, settings.nodes, replacing=settings.replacing)
        await in_thread(prepare, resource, new_server, await token.future() or "", preview=preview)

    hook = pulumi.ResourceHook(DELETION_HOOK, before_delete, pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceHookBinding(before_delete=[hook])


def check_confirmed(resource: pulumi.ResourceHookArgs, *, replacing: str | None, preview: bool) -> None:
    """Raises a RefusedDeletionError if the deletion is not confirmed.

    The engine checks its own protection only after the hook (DeleteStep.Apply in its resource/deploy/step.go).
    """
    short_name = f"{_kind(resource)}::{resource.name}"
    confirmed = os.environ.get(ALLOW_DELETE, "").split()
    if short_name in {*confirmed, f"{SERVER}::{replacing}"} or (preview and ANY_RESOURCE in confirmed):
        return
    raise RefusedDeletionError(
        f"the deletion of {short_name} is not confirmed, so its delete protection at Hetzner stays. "
        f'To confirm it: make up STACK={pulumi.get_stack()} ALLOW_DELETE="{short_name}"'
    )


def prepare(
    resource: pulumi.ResourceHookArgs, new_server: Mapping[str, str] | None, token: str, *, preview: bool
) -> None:
    """Lifts the protection of a resource, unless Hetzner cannot create the server that replaces it.

    Raises a RefusedDeletionError.
    """
    # Imported here, because hardly any run deletes a resource.
    from infra import hetzner  # noqa: PLC0415

    problem: object
    try:
        api = hetzner.client(token)
        problem = hetzner.creation_problem(api, **new_server) if new_server else None
        if problem is None:
            hetzner.lift_protection(api, _kind(resource), int(resource.id), dry_run=preview)
            return
    except hetzner.ERRORS as error:
        problem = f"Hetzner's API returned an error: {error}"
    raise RefusedDeletionError(f"{resource.name} was not deleted: {problem}")


def replacement(
    resource: pulumi.ResourceHookArgs, nodes: Mapping[str, Node], *, replacing: str | None
) -> Mapping[str, str] | None:
    """What Hetzner must offer for the server that replaces this one. None for a resource that is only deleted."""
    node = nodes.get(resource.name)
    if node is None or _kind(resource) != SERVER:
        return None
    # Without `replacing`, properties that are ignored keep their old values.
    old = {} if resource.name == replacing else resource.old_inputs or {}
    return {
        "server_type": node.server_type,
        "location": old.get("location", node.location),
        "image": old.get("image", node.image),
    }


def _kind(resource: pulumi.ResourceHookArgs) -> str:
    return resource.type.rpartition(":")[2]
