"""The `drift` command. It compares production with the program and changes nothing, not even the state."""

import sys
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from ops.drift.choices import changed_choices, record_instructions
from ops.drift.masking import Masking
from ops.drift.report import DriftReport, markdown, text, unchecked_markdown
from ops.drift.rows import drift_rows, expected_changes
from ops.drift.servers import power_on_instructions, stopped_servers
from ops.engine.preview import make_complete_plan
from ops.engine.stack import Checkpoint, read_checkpoint, read_settings
from ops.errors import OpsError
from ops.plain_text import KUBERNETES_SECRET
from ops.plan import Plan, State

if TYPE_CHECKING:
    from ops.drift.current import Current

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
    flags = [f"--exclude=urn:pulumi:{stack}::**{KUBERNETES_SECRET}::*"] if without_secrets else []
    started = datetime.now(UTC)
    try:
        # At the same time, because the plan takes seconds.
        with console.status(f"Checking every resource of stack {stack}"), ThreadPoolExecutor() as executor:
            # Not with --expect-no-changes: its exit code is the same for a change and for a failure.
            plan = executor.submit(make_complete_plan, stack, refresh=True, flags=flags)
            checkpoint = executor.submit(read_checkpoint, stack, show_secrets=True)
            settings = read_settings(stack)
            masking = Masking(settings)
            before = _usable(checkpoint.result(), stack)
            resources = [
                state for state in before.resources if not (without_secrets and state.type == KUBERNETES_SECRET)
            ]
            from ops.drift.current import read_current  # noqa: PLC0415  # its clients are slow to import

            current = read_current(stack, settings, resources)
            report = _report(plan.result(), before, resources, current)
            after = read_checkpoint(stack)
        if after.manifest != before.manifest or after.pending_operations or before.written > started:
            raise OpsError(
                f"an update changed stack {stack} during the check. Run the check again when the update completed"
            )
    except OpsError as error:
        message = masking(str(error))
        console.print(Text.assemble(("drift: ", "red"), f"could not check stack {stack}. {message}"))
        _write(file, unchecked_markdown(message, stack=stack))
        sys.exit(UNCHECKED)
    console.print(text(report, masking))
    _write(file, markdown(report, masking, stack=stack))
    sys.exit(DRIFT if report.rows else NO_DRIFT)


def _usable(checkpoint: Checkpoint, stack: str) -> Checkpoint:
    if checkpoint.pending_operations:
        raise OpsError(
            f"the state has {len(checkpoint.pending_operations)} pending operations. "
            "Wait until the running update completes. If none runs, one was killed; the next up continues it"
        )
    if not checkpoint.resources:
        raise OpsError(f"stack {stack} has no resources. Run make adopt or make up first")
    return checkpoint


def _report(plan: Plan, checkpoint: Checkpoint, resources: Collection[State], current: "Current") -> DriftReport:
    """The report on these resources of the checkpoint."""
    from ops.drift.objects import merged_rows, object_drifts  # noqa: PLC0415  # its clients are slow to import

    urns, checked = {state.urn for state in checkpoint.resources}, {state.urn for state in resources}
    rows, stopped = list(drift_rows(plan, urns)), list(stopped_servers(plan))
    choices = list(changed_choices(plan, resources, rows))
    return DriftReport(
        rows=[
            *merged_rows(rows, object_drifts(plan, resources, current.live)),
            *choices,
            *stopped,
            *current.undeclared,
        ],
        instructions=[*power_on_instructions(plan, stopped), *record_instructions(choices)],
        expected_changes=expected_changes(plan, urns),
        unlisted_kinds=current.unlisted_kinds,
        unread=current.unread,
        skipped=[state.short for state in checkpoint.resources if state.urn not in checked],
    )


def _write(file: Path | None, text: str) -> None:
    if file:
        file.write_text(text)
