"""`drift`: whether production still is what this program declares. Looks and tells; writes nothing, not even the state."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from pydantic import JsonValue
from rich.console import Console
from rich.text import Text

from ops import engine
from ops.adoption.lookups.cloudflare import Cloudflare
from ops.drift import undeclared
from ops.drift.report import Findings, Masking, markdown, table, unchecked
from ops.drift.rows import drifts, motions
from ops.errors import OpsError
from ops.plain_text import KUBERNETES_SECRET
from ops.plan import PlanError

CLEAN, UNCHECKED, DRIFT = 0, 1, 2
Settings = Mapping[str, JsonValue]

console = Console(soft_wrap=True, highlight=False)


class _MisuseError(click.UsageError):
    exit_code = UNCHECKED  # click's own 2 would be read as drift


class _Command(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise _MisuseError(error.format_message(), ctx) from None


@click.command(cls=_Command)
@click.option("--stack", required=True, help="Which stack.")
@click.option(
    "--markdown", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write it there too, as CI shows it."
)
@click.option(
    "--without-secrets", is_flag=True, help="Leave out Kubernetes' Secrets, which the viewer's account may not read."
)
def drift(stack: str, file: Path | None, without_secrets: bool) -> None:
    """Whether what runs is what is declared. Ends with 0 when it is, with 2 on drift, with 1 when nobody could look."""
    masking = Masking({})
    try:
        settings = engine.settings(stack)
        masking = Masking(settings)
        with console.status(f"looking at all that stack {stack} holds"):
            findings = _look(
                stack, settings, without=[f"urn:pulumi:{stack}::**{KUBERNETES_SECRET}::*"] if without_secrets else []
            )
    except (OpsError, PlanError) as error:
        why = masking(str(error))
        console.print(Text.assemble(("drift: ", "red"), f"could not be checked. {why}"))
        _write(file, unchecked(why, stack=stack))
        sys.exit(UNCHECKED)
    console.print(table(findings, masking))
    _write(file, markdown(findings, masking, stack=stack))
    sys.exit(DRIFT if findings.drifts else CLEAN)


def _look(stack: str, settings: Settings, *, without: Sequence[str]) -> Findings:
    before = engine.checkpoint(stack)
    if before.pending_operations:
        raise OpsError(
            f"{len(before.pending_operations)} operations on stack {stack} were begun and are not done. "
            "Wait for the update that runs; where none does, one was killed: the next up goes on with it"
        )
    held, urns = before.resources, {state.urn for state in before.resources}
    if not held:
        raise OpsError(f"stack {stack} holds nothing yet: make adopt, or make up, first")
    # First what answers at once, so that a wrong token is told before the long look.
    records = list(undeclared.records(Cloudflare(str(settings.get("cloudflareToken"))), held))
    with engine.cluster(stack, settings) as cluster:
        objects = undeclared.objects(cluster, held)
    plan = engine.plan_refreshed(stack, without=without)
    if engine.checkpoint(stack) != before:
        raise OpsError(f"stack {stack} was changed during the look: an update runs. Try again when it is done")
    return Findings(
        drifts=[*drifts(plan, urns), *records, *objects.drifts], motions=motions(plan, urns), unseen=objects.unseen
    )


def _write(file: Path | None, text: str) -> None:
    if file:
        file.write_text(text)
