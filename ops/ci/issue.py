"""The `issue` command: keeps one issue open for as long as a scheduled check reports something."""

import sys
from pathlib import Path

import click

from ops.ci.gitea import Gitea

CLEAN, REPORTED = 0, 2
"""Exit codes of a check."""


@click.command()
@click.option("--title", required=True, help="Title of the issue. It identifies the issue.")
@click.option(
    "--status",
    type=int,
    required=True,
    help="Exit code of the check: 0 nothing to report, 2 something to report, anything else: the check failed.",
)
@click.argument("report", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def issue(title: str, status: int, report: Path) -> None:
    """Open, update or close the issue of a check. For CI.

    REPORT is the file with the output of the check. If the check failed, the issue stays unchanged and the command
    exits with 1.
    """
    if status not in {CLEAN, REPORTED}:
        click.echo(report.read_text(), nl=False)
        click.echo(f"The check failed with exit code {status}. The issue was not changed.", err=True)
        sys.exit(1)
    with Gitea.of_this_job() as gitea:
        if status == CLEAN:
            gitea.close_issue(title)
        else:
            gitea.upsert_issue(title, report.read_text())
