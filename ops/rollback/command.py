"""The `rollback` command: applies the images of the previous complete release, by digest."""

import sys

import click

from ops.engine.stack import read_settings
from ops.guardrails.commands import refresh_option, stack_option
from ops.release.command import ROLLBACK, apply_release
from ops.release.digests import OurImages, console
from ops.rollback.previous import check_schema, find_previous


@click.command()
@stack_option
@refresh_option
@click.option("--yes", is_flag=True, help="Roll back without asking for confirmation.")
def rollback(stack: str, refresh: bool, yes: bool) -> None:
    """Apply the images of the previous complete release.

    These are the images of the newest update that succeeded with other images than those of the last update. The
    command refuses if a migration lies between the two with which the older images are not declared to work: nothing
    runs a migration backwards.
    """
    with console.status("Reading the history"):
        target = find_previous(stack)
        schema = check_schema(target, OurImages.of(read_settings(stack)))
    sys.exit(apply_release(stack, target.previous.images, schema=schema, action=ROLLBACK, refresh=refresh, ask=not yes))
