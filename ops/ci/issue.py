"""`issue`: what a scheduled job found, as one issue that is there exactly as long as there is something to do."""

import sys
from pathlib import Path

import click

from ops.ci.gitea import Gitea
from ops.errors import OpsError

CLEAN = 0
FOUND = 2


@click.command()
@click.option("--title", required=True, help="The issue is known by it.")
@click.option(
    "--status",
    type=int,
    required=True,
    help="What the check ended with: 0 nothing found, 2 something, else it could not check.",
)
@click.argument("report", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def issue(title: str, status: int, report: Path) -> None:
    """Open or edit the issue with a check's REPORT, or close it. Ends with 1 where the check could not be made: nothing is known then."""
    if status not in {CLEAN, FOUND}:
        click.echo(report.read_text(), nl=False)
        click.echo(f"the check itself ended with {status}: the issue stays as it is", err=True)
        sys.exit(1)
    try:
        with Gitea.of_this_job() as gitea:
            if status == CLEAN:
                gitea.close_issue(title)
            else:
                gitea.keep_issue(title, report.read_text())
    except OpsError as error:
        raise click.ClickException(str(error)) from None
