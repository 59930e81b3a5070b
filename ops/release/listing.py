"""The `releases` command: lists the complete releases that the history of the state records."""

from itertools import islice

import click

from ops.errors import OpsError
from ops.guardrails.commands import stack_option
from ops.release.digests import console, shown
from ops.release.records import releases as complete_releases


@click.command()
@stack_option
@click.option("--last", default=10, show_default=True, type=click.IntRange(min=1), help="How many releases to show.")
def releases(stack: str, last: int) -> None:
    """List the complete releases, newest first: start, schema, commit, and the images with their digests."""
    records = list(islice(complete_releases(stack), last))
    if not records:
        raise OpsError(f"stack {stack} has no complete release")
    for release in records:
        revision = release.revision[:10] or "not recorded"
        console.print(f"{release.time}  {release.schema or 'schema not recorded'}  commit {revision}", style="bold")
        for app, image in release.images.items():
            console.print(f"  {app} {shown(image)}", markup=False)
