"""The `drift` command. It compares production with the program and changes nothing, not even the state."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from ops import kubernetes
from ops.adoption.lookups.cloudflare import Cloudflare
from ops.drift.masking import Masking
from ops.drift.report import DriftReport, markdown, table, unchecked_markdown
from ops.drift.rows import drift_rows, expected_changes
from ops.drift.servers import power_on_instructions, stopped_servers
from ops.drift.undeclared import undeclared_objects, undeclared_records
from ops.engine.preview import make_complete_plan
from ops.engine.stack import Settings, read_checkpoint, read_settings
from ops.errors import OpsError
from ops.plain_text import KUBERNETES_SECRET

NO_DRIFT, UNCHECKED, DRIFT = 0, 1, 2
"""Exit codes."""

console = Console(soft_wrap=True, highlight=False)


class _UsageError(click.UsageError):
    exit_code = UNCHECKED  # click exits with 2, which means drift here


class _Command(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise _UsageError(error.format_message(), ctx) from None


@click.command(cls=_Command)
@click.option("--stack", required=True, help="Name of the Pulumi stack, for example prod.")
@click.option(
    "--markdown",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the report to this file, as Markdown.",
)
@click.option(
    "--without-secrets", is_flag=True, help="Skip Kubernetes Secrets, which the viewer account in CI may not read."
)
def drift(stack: str, file: Path | None, without_secrets: bool) -> None:
    """Check whether production differs from the program. Changes nothing.

    Exit codes: 0 no drift; 2 drift; 1 could not check, the message states the reason.
    """
    masking = Masking({})
    try:
        settings = read_settings(stack)
        masking = Masking(settings)
        excluded = [f"urn:pulumi:{stack}::**{KUBERNETES_SECRET}::*"] if without_secrets else []
        with console.status(f"Checking every resource of stack {stack}"):
            report = _check(stack, settings, excluded=excluded)
    except OpsError as error:
        message = masking(str(error))
        console.print(Text.assemble(("drift: ", "red"), f"could not check stack {stack}. {message}"))
        _write(file, unchecked_markdown(message, stack=stack))
        sys.exit(UNCHECKED)
    console.print(table(report, masking))
    _write(file, markdown(report, masking, stack=stack))
    sys.exit(DRIFT if report.rows else NO_DRIFT)


def _check(stack: str, settings: Settings, *, excluded: Sequence[str]) -> DriftReport:
    """Check the stack, without the resources whose URN matches one of the excluded patterns."""
    before = read_checkpoint(stack)
    if before.pending_operations:
        raise OpsError(
            f"the state has {len(before.pending_operations)} pending operations. "
            "Wait until the running update completes. If none runs, one was killed; the next up continues it"
        )
    resources, urns = before.resources, {state.urn for state in before.resources}
    if not resources:
        raise OpsError(f"stack {stack} has no resources. Run make adopt or make up first")
    # The fast checks first, so that a rejected token is reported before the slow refresh.
    records = list(undeclared_records(Cloudflare(str(settings.get("cloudflareToken"))), resources))
    with kubernetes.connect(stack, settings) as cluster:
        objects = undeclared_objects(cluster, resources)
    # Not with --expect-no-changes: its exit code is the same for a change and for a failure.
    plan = make_complete_plan(stack, refresh=True, flags=[f"--exclude={pattern}" for pattern in excluded])
    if read_checkpoint(stack) != before:
        raise OpsError(
            f"an update changed stack {stack} during the check. Run the check again when the update completed"
        )
    stopped = list(stopped_servers(plan))
    return DriftReport(
        rows=[*drift_rows(plan, urns), *stopped, *records, *objects.rows],
        instructions=power_on_instructions(plan, stopped),
        expected_changes=expected_changes(plan, urns),
        unlisted_kinds=objects.unlisted_kinds,
    )


def _write(file: Path | None, text: str) -> None:
    if file:
        file.write_text(text)
