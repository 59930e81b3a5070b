"""What `preview`, `up` and `release` do about resources that the plan creates although they exist already."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import click
from rich.console import Console

from ops.confirmation import confirm
from ops.engine.stack import read_settings
from ops.plan import Plan, short_name
from ops.recovery.candidates import unique_creations

if TYPE_CHECKING:
    from ops.adoption.findings import Finding

console = Console(soft_wrap=True, highlight=False)


def existing_resources(stack: str, plan: Plan) -> "Mapping[str, Finding]":
    """The resources of this stack that the plan creates although they exist, by URN. Prints them.

    Ends the command if another resource is in the way.
    """
    candidates = unique_creations(plan)
    if not candidates:
        return {}
    # The clouds' clients are slow to import, and hardly any plan creates such a resource.
    from ops.recovery.existing import find_existing  # noqa: PLC0415

    with console.status("Looking up the resources to create"):
        existing = find_existing(candidates, read_settings(stack))
    if existing:
        console.print("These exist already, from an up that was interrupted. make up imports them first:")
    for candidate in candidates:
        if candidate.urn in existing:
            console.print(f"  {candidate.short}, {existing[candidate.urn].note}", markup=False)
    return existing


def with_imports(stack: str, make_plan: Callable[[], Plan], *, ask: bool) -> Plan:
    """A plan, after everything was imported that it would create although it exists."""
    plan, imported = make_plan(), set[str]()
    # Again, because an import may add values to the plan that a lookup needs.
    while existing := existing_resources(stack, plan):
        if repeated := imported & existing.keys():
            raise click.ClickException(
                f"The import of {', '.join(map(short_name, repeated))} had no effect: the plan still creates them"
            )
        if ask:
            confirm("Import them into the state? They stay unchanged")
        from ops.recovery.existing import import_existing  # noqa: PLC0415  # as above

        import_existing(stack, existing)
        imported |= existing.keys()
        plan = make_plan()
    return plan
