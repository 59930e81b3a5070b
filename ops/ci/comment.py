"""`comment`: what a pull request would change in production, as the one comment that every push edits."""

import sys

import click

from ops import planning
from ops.ci import markdown
from ops.ci.gitea import Gitea
from ops.cost import cost
from ops.errors import OpsError
from ops.guardrails.commands import stack_option
from ops.guardrails.rules import check
from ops.plan import PlanError


@click.command()
@stack_option
@click.option("--pull-request", "number", type=int, required=True, help="Its number.")
def comment(stack: str, number: int) -> None:
    """Preview into a pull request's one comment. Ends with 1 where there is no plan, or one that breaks a promise."""
    try:
        with Gitea.of_this_job() as gitea:
            text, kept = previewed(stack)
            gitea.keep_comment(number, f"<!-- preview of {stack} -->", f"### What this changes in {stack}\n\n{text}\n")
    except OpsError as error:
        raise click.ClickException(str(error)) from None
    sys.exit(0 if kept else 1)


def previewed(stack: str) -> tuple[str, bool]:
    """The plan as Markdown, and whether it could be made and keeps every promise."""
    try:
        plan = planning.make_plan(stack)
    except (PlanError, OpsError) as error:
        return markdown.failure(str(error)), False
    if plan.errors:
        return markdown.failure("\n".join(plan.errors)), False
    violations = check(plan)
    return markdown.preview(plan, violations, cost=cost(plan)), not violations
