"""What `up` does around a confirmed deletion."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import click

from ops.engine.update import protect_remaining, refresh_resources, unprotect
from ops.errors import OpsError
from ops.plan import Plan, Step


def confirmed_deletions(plan: Plan, allow_delete: Collection[str]) -> Sequence[Step]:
    """The deletions of a plan that the operator confirmed, and those of the components that are no longer declared.

    A component has no name to confirm. The engine protects it too, although only its children exist at a vendor, and
    the guard rails have refused the plan unless the deletion of each child is confirmed.
    """
    confirmed = [step for step in plan.changes if step.deletes and step.short in allow_delete]
    components = [step for step in plan.steps if step.op == "delete" and not step.state.custom]
    return [*confirmed, *components] if confirmed else []


@contextmanager
def unprotected(stack: str, steps: Sequence[Step]) -> Iterator[None]:
    """Lift the engine's protection of the resources that these steps delete, while the block runs.

    Those that still exist afterwards are protected again. Ends the command if the deletion cannot start.
    """
    if not steps:
        yield
        return
    try:
        if protected := [step.urn for step in steps if step.old and step.old.protect]:
            unprotect(stack, protected)
    except OpsError as error:
        raise click.ClickException(f"Could not lift the protection. Nothing was changed.\n{error}") from None
    try:
        _refresh(stack, [step.urn for step in steps if step.op == "delete" and step.state.custom])
        yield
    finally:
        try:
            protect_remaining(stack, [step.urn for step in steps])
        except OpsError as error:
            click.echo(f"Could not protect the remaining resources again: {error}")


def _refresh(stack: str, urns: Sequence[str]) -> None:
    try:
        if urns:
            refresh_resources(stack, urns)
    except OpsError as error:
        raise click.ClickException(
            f"Could not read the resources that would be deleted. Nothing was changed.\n{error}"
        ) from None
