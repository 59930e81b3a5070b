"""The `releases` command: lists the complete releases that the history of the state records."""

from itertools import islice

import click
from rich.console import Console
from rich.table import Table

from ops.errors import OpsError
from ops.guardrails.commands import stack_option
from ops.release.digests import shown
from ops.release.records import releases as complete_releases

console = Console(soft_wrap=True, highlight=False)


@click.command()
@stack_option
@click.option("--last", default=10, show_default=True, type=click.IntRange(min=1), help="How many releases to show.")
def releases(stack: str, last: int) -> None:
    """List the complete releases, newest first: time, images with the beginning of their digests, schema and commit."""
    table = Table(box=None, pad_edge=False)
    for heading in ("started", "images", "schema", "revision"):
        table.add_column(heading, no_wrap=heading != "images")
    for release in islice(complete_releases(stack), last):
        images = "\n".join(f"{app} {shown(image)}" for app, image in release.images.items())
        schema = str(release.schema).removeprefix("schema ") if release.schema else "not recorded"
        table.add_row(release.time, images, schema, release.revision[:10])
    if not table.row_count:
        raise OpsError(f"stack {stack} has no complete release")
    console.print(table)
