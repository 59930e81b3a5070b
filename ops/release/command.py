"""`release`: new images in one command. The settings hold them only if they were applied, or at least tried."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from ops import planning, stackfile
from ops.errors import OpsError
from ops.guardrails.commands import checked_plan, stack_option
from ops.plan import PlanError

if TYPE_CHECKING:
    from ops.release.failed_migration import FailedMigration

IMAGES = "honeydue:images"

console = Console(soft_wrap=True, highlight=False)


@click.command()
@stack_option
@click.option(
    "--api",
    metavar="TAG",
    help="Of api, and of worker too unless that is given: one repository builds both (book, 12b2f9d).",
)
@click.option("--worker", metavar="TAG")
@click.option("--admin", metavar="TAG")
@click.option("--web", metavar="TAG")
@click.option("--yes", is_flag=True, help="Do not ask.")
def release(stack: str, yes: bool, **tags: str | None) -> None:
    """Set new images, preview, ask, apply. Refused or declined, the settings stay as they were."""
    chosen = {app: tag for app, tag in (tags | {"worker": tags["worker"] or tags["api"]}).items() if tag}
    if not chosen:
        raise click.UsageError("nothing to release: name at least one image, as in make release API=<commit>")
    try:
        before = release_images(stack, chosen, ask=not yes)
        status = planning.apply(stack)
        if status != 0:
            _tell_why(stack, before)
    except (OpsError, PlanError) as error:
        raise click.ClickException(str(error)) from None
    sys.exit(status)


def release_images(stack: str, tags: Mapping[str, str], *, ask: bool) -> Mapping[str, str]:
    """Writes the tags and has them agreed to; returns those they replace. Ends the command where they are refused or declined."""
    file = stackfile.settings_file(stack)
    with _as_it_was_unless_agreed(file):
        before = set_images(file, tags)
        for app, tag in tags.items():
            console.print(f"{app}: {before[app]} → {tag}")
        # A release deletes nothing. Confirm a deletion with make up ALLOW_DELETE=… before it.
        checked_plan(stack, ())
        if ask:
            click.confirm(f"Release this to {stack}?", abort=True)
    return before


def set_images(file: Path, tags: Mapping[str, str]) -> Mapping[str, str]:
    """Writes the tags and returns those they replace."""
    images = stackfile.load(file).get("config", {}).get(IMAGES, {})
    if missing := tags.keys() - images.keys():
        raise OpsError(
            f"{file.name} has no {', '.join(f'{IMAGES}.{app}' for app in sorted(missing))}: see Pulumi.yaml for what it holds"
        )
    before = {app: str(images[app]) for app in tags}
    for app, tag in tags.items():
        stackfile.set_value(file, f"{IMAGES}.{app}", tag)
    return before


@contextmanager
def _as_it_was_unless_agreed(file: Path) -> Iterator[None]:
    was = file.read_bytes() if file.exists() else None
    try:
        yield
    except BaseException:
        # Every way out, Ctrl-C and the end of the process included: the next `up` must not release what nobody agreed to.
        if was is not None:
            file.write_bytes(was)
        raise


def _tell_why(stack: str, before: Mapping[str, str]) -> None:
    # Here and not above: the Kubernetes client takes longer to import than all the rest, and a release that succeeds needs none.
    from ops.release.failed_migration import find  # noqa: PLC0415

    try:
        failed = find(stack)
    except (OpsError, PlanError) as error:
        # The release's own failure stands above, with the command that reads the log.
        console.print(f"[red]release:[/] whether it was the migration could not be seen: {error}")
        return
    again = " ".join(f"{app.upper()}={tag}" for app, tag in before.items())
    if failed is None:
        console.print(
            f"[red]release:[/] it stopped on the way, as shown above; the settings hold the new tags. Mended, go on: make up "
            f"STACK={stack}. Or back: make release STACK={stack} {again}"
        )
        return
    console.print(_log(failed), markup=False)
    console.print(
        "[red]release:[/] the migration failed: no new pod of api or worker was started, the old ones keep serving.\n"
        "  goose rolled the failed file back, those before it stay applied. Mend it, build an image that has it, then\n"
        f"  make release STACK={stack} API=<its commit>\n"
        f"  To go back instead: make release STACK={stack} {again}"
    )


def _log(failed: "FailedMigration") -> str:
    words = failed.log.rstrip() if failed.log else "(its pod is gone, and the log with it)"
    return f"\nJob {failed.job}: {failed.reason}\n{words}\n"
