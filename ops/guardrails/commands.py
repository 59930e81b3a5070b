"""`preview` and `up`, with the promises between the plan and what is done."""

import sys
from collections.abc import Collection

import click
from rich.console import Console

from ops import planning
from ops.guardrails.rules import check
from ops.guardrails.summary import changes, refusal
from ops.plan import Plan, PlanError

console = Console(soft_wrap=True, highlight=False)
stack_option = click.option("--stack", required=True, help="Which stack.")
mean_option = click.option(
    "--mean", "meant", metavar="RESOURCE", multiple=True, help="A resource whose loss is meant: Server::hetzner3."
)

refresh_option = click.option(
    "--refresh", is_flag=True, help="Look where everything lives first: what somebody changed is put back."
)


@click.command()
@stack_option
@mean_option
@refresh_option
@click.option("--diff", is_flag=True, help="Show the engine's own diff of every value too.")
def preview(stack: str, meant: tuple[str, ...], refresh: bool, diff: bool) -> None:
    """What an up would change, held against the promises. Touches nothing."""
    guarded_plan(stack, meant, refresh=refresh)
    if diff:
        sys.exit(planning.show_diff(stack, refresh=refresh))


@click.command()
@stack_option
@mean_option
@refresh_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def up(stack: str, meant: tuple[str, ...], refresh: bool, yes: bool) -> None:
    """Preview, ask, apply."""
    plan = guarded_plan(stack, meant, refresh=refresh)
    if not yes:
        click.confirm(f"Apply this to {stack}?", abort=True)
    if shielded := [step.urn for step in plan.changes if step.short in meant and step.old and step.old.protect]:
        planning.unprotect(stack, shielded)
    sys.exit(planning.apply(stack, refresh=refresh))


def guarded_plan(stack: str, meant: Collection[str], *, refresh: bool = False) -> Plan:
    """Makes the plan and shows it. Ends the command where the engine cannot make one, or where it would break a promise."""
    try:
        with console.status(f"planning {stack}"):
            plan = planning.make_plan(stack, refresh=refresh)
    except PlanError as error:
        raise click.ClickException(f"no plan could be made, nothing was changed.\n{error}") from None
    console.print(changes(plan))
    violations = check(plan, meant=meant)
    if violations:
        console.print(refusal(violations, stack=stack))
    if plan.errors:
        raise click.ClickException(
            "the plan could not be made to its end, nothing was changed.\n" + "\n".join(plan.errors)
        )
    if violations:
        sys.exit(1)
    return plan
