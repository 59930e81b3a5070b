"""The `comment` command: shows what a pull request would change in production, in a comment that each push updates."""

import sys
from functools import partial

import click

from ops.ci import markdown
from ops.ci.gitea import Gitea
from ops.cost import cost
from ops.engine.preview import make_plan
from ops.engine.stack import read_settings
from ops.errors import OpsError
from ops.guardrails import cluster
from ops.guardrails.commands import stack_option
from ops.guardrails.quorum import lost_quorum
from ops.guardrails.rules import check
from ops.guardrails.signatures import images_are_signed


@click.command()
@stack_option
@click.option("--pull-request", "number", type=int, required=True, help="Number of the pull request.")
def comment(stack: str, number: int) -> None:
    """Show the plan of a pull request in a comment. For CI.

    Exits with 1 if the engine cannot compute a plan, or if the plan breaks a guard rail.
    """
    with Gitea.of_this_job() as gitea:
        text, accepted = preview_markdown(stack)
        gitea.upsert_comment(number, f"<!-- preview of {stack} -->", f"### Changes in {stack}\n\n{text}\n")
    sys.exit(0 if accepted else 1)


def preview_markdown(stack: str) -> tuple[str, bool]:
    """The plan as Markdown, and whether it is complete and breaks no guard rail."""
    try:
        plan = make_plan(stack)
    except OpsError as error:
        return markdown.failure(str(error)), False
    if plan.errors:
        return markdown.failure("\n".join(plan.errors)), False
    if cluster.must_respond(plan) and (unreachable := cluster.unreachable(stack, partial(read_settings, stack))):
        return markdown.failure(str(unreachable)), False
    settings = partial(read_settings, stack)
    violations = [*check(plan), *lost_quorum(stack, plan), *images_are_signed(stack, plan, settings)]
    return markdown.preview(plan, violations, cost=cost(plan)), not violations
