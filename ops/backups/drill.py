"""The `restore-drill` command: restores the newest dump into a scratch server, and compares it with its manifest."""

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from images.backup.pipeline import Pipeline
from infra.settings.schema import Settings
from ops.backups.buckets import bucket_lines
from ops.backups.scratch import scratch_server
from ops.backups.source import LATEST, Source, identity_option, readable_errors, require_programs, select
from ops.engine.stack import read_settings
from ops.errors import OpsError
from ops.guardrails.commands import stack_option
from ops.kubernetes import Cluster, kubeconfig_and_context, source_of
from ops.status.line import Result
from ops.status.stack import validated
from ops.termination import exit_on_termination

console = Console(soft_wrap=True, highlight=False)


@click.command("restore-drill")
@stack_option
@identity_option
@click.option("--from", "dump", default=LATEST, show_default=True, help="The time of another dump.")
def restore_drill(stack: str, identity: Path, dump: str) -> None:
    """Restore the newest dump into a scratch server in the cluster, compare it with its manifest, and remove it.

    The dump is decrypted on this machine. Changes nothing but the time of the last drill.
    """
    require_programs("kubectl", package="kubectl (https://kubernetes.io/docs/tasks/tools/)")
    values = read_settings(stack)
    settings = validated(values)
    source = select(settings, identity, dump)
    kubeconfig, context = kubeconfig_and_context(stack, values)
    with tempfile.TemporaryDirectory(prefix="honeydue-") as folder:
        file = Path(folder) / "kubeconfig"
        file.touch(mode=0o600)
        file.write_text(kubeconfig)
        with Cluster.connect(kubeconfig, context, source_of(values)) as cluster, exit_on_termination():
            console.print(run(source, cluster, file, context))
    check_buckets(settings)


def check_buckets(settings: Settings) -> None:
    """Prints whether the buckets keep what they contain. Raises an OpsError if one does not."""
    lines = list(bucket_lines(settings))
    for line in lines:
        console.print(f"{line.result.value}  {line.subject}  {line.text}")
    if problems := sum(line.result is Result.PROBLEM for line in lines):
        raise OpsError(f"the drill succeeded, but {problems} of the lines about the buckets are problems")


def run(source: Source, cluster: Cluster, kubeconfig: Path, context: str) -> str:
    """One drill. Returns its result. Raises an OpsError."""
    manifest, started, clock = source.manifest, datetime.now(UTC), time.monotonic()
    console.print(f"Restoring {source.time} ({manifest.bytes} bytes, {manifest.rows} rows) into a scratch server …")
    with scratch_server(cluster, kubeconfig, context) as scratch:
        scratch.run("create")
        scratch.run("check-target", manifest.text())
        with readable_errors():
            Pipeline([*source.decrypted(), scratch.command("restore")]).run()
        summary = scratch.run("check", manifest.text())
        seconds = time.monotonic() - clock
        scratch.run("finish")
        scratch.wait_for_record(started)
    return (
        f"The dump can be restored: {summary}, as in its manifest, in {seconds:.0f} s. The scratch server is removed."
    )
