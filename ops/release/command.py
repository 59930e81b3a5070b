"""The `release` command. The settings keep the new image tags only if the operator confirmed the release."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from ops import stackfile
from ops.engine.update import apply
from ops.errors import OpsError
from ops.guardrails.commands import checked_plan, stack_option
from ops.plan import short_name
from ops.recovery.continuation import existing_resources
from ops.recovery.pending import clear_pending_creations
from ops.resize.planned import resize_of

if TYPE_CHECKING:
    from ops.release.failed_migration import FailedMigration

IMAGES = "honeydue:images"

console = Console(soft_wrap=True, highlight=False)


@click.command()
@stack_option
@click.option(
    "--api",
    metavar="TAG",
    help="Image tag of api, usually a commit, with or without @sha256:<digest>. The tag is also that of worker, unless "
    "--worker is given: one repository builds both.",
)
@click.option("--worker", metavar="TAG", help="Image tag of worker.")
@click.option("--admin", metavar="TAG", help="Image tag of admin.")
@click.option("--web", metavar="TAG", help="Image tag of web.")
@click.option("--yes", is_flag=True, help="Release without asking for confirmation.")
def release(stack: str, yes: bool, **tags: str | None) -> None:
    """Release new image tags.

    Writes the tags to the settings, checks the plan, asks for confirmation and applies it.

    If the plan is refused or the release declined, the settings stay unchanged. If a migration fails, prints its log.
    """
    # The digest is that of one image. The worker's has the same tag and another digest.
    worker = tags["worker"] or (tags["api"] or "").partition("@")[0]
    new_tags = {app: tag for app, tag in (tags | {"worker": worker}).items() if tag}
    if not new_tags:
        raise click.UsageError("nothing to release: name at least one image, for example make release API=<commit>")
    try:
        old_tags = confirm_images(stack, new_tags, ask=not yes)
        clear_pending_creations(stack)
        status = apply(stack)
        if status != 0:
            _explain_failure(stack, old_tags)
    except OpsError as error:
        raise click.ClickException(str(error)) from None
    sys.exit(status)


def confirm_images(stack: str, tags: Mapping[str, str], *, ask: bool) -> Mapping[str, str]:
    """Write the tags and return the old ones. If refused or declined, restore the settings and end the command."""
    file = stackfile.settings_file(stack)
    with _restored_on_exit(file):
        old_tags = set_images(file, tags)
        for app, tag in tags.items():
            console.print(f"{app}: {old_tags[app]} → {tag}")
        # A release deletes nothing. Confirm a deletion with make up ALLOW_DELETE=… before it.
        plan = checked_plan(stack)
        if resize := resize_of(plan):
            raise OpsError(
                f"the plan also resizes {short_name(resize.urn)}, for which make up drains its node. "
                f"Run make up STACK={stack} first, then release"
            )
        if existing_resources(stack, plan):
            raise OpsError(f"an earlier up was interrupted. Run make up STACK={stack} first, then release")
        if ask:
            click.confirm(f"Release this to {stack}?", abort=True)
    return old_tags


def set_images(file: Path, tags: Mapping[str, str]) -> Mapping[str, str]:
    """Write the tags to the settings file and return the old ones."""
    images = stackfile.load(file).get("config", {}).get(IMAGES, {})
    if missing := tags.keys() - images.keys():
        keys = ", ".join(f"{IMAGES}.{app}" for app in sorted(missing))
        raise OpsError(f"{file.name} has no {keys}. Pulumi.yaml describes {IMAGES}")
    old_tags = {app: str(images[app]) for app in tags}
    for app, tag in tags.items():
        stackfile.set_value(file, f"{IMAGES}.{app}", tag)
    return old_tags


@contextmanager
def _restored_on_exit(file: Path) -> Iterator[None]:
    """Restore the file if the block raises."""
    content = file.read_bytes() if file.exists() else None
    try:
        yield
    except BaseException:
        # Ctrl-C and sys.exit included: the next `up` must not release an unconfirmed tag.
        if content is not None:
            file.write_bytes(content)
        raise


def _explain_failure(stack: str, old_tags: Mapping[str, str]) -> None:
    # Imported here, because the Kubernetes client is slow to import and a successful release does not need it.
    from ops.release.failed_migration import find_failed_migration  # noqa: PLC0415

    try:
        migration = find_failed_migration(stack)
    except OpsError as error:
        # The output of `up` above has the failure itself, and the command that prints the migration's log.
        console.print(f"[red]release:[/] failed as shown above. Could not check whether the migration failed: {error}")
        return
    rollback = f"make release STACK={stack} " + " ".join(f"{app.upper()}={tag}" for app, tag in old_tags.items())
    if migration is None:
        console.print(
            "[red]release:[/] failed as shown above. The settings have the new tags.\n"
            f"  To continue after a fix: make up STACK={stack}\n"
            f"  To roll back: {rollback}"
        )
        return
    console.print(_log(migration), markup=False)
    console.print(
        "[red]release:[/] the migration failed. No new api or worker pod was started; the old pods keep serving.\n"
        "  goose rolled back the failed migration file. The files before it stay applied.\n"
        f"  To continue, fix it, build an image, and run: make release STACK={stack} API=<its commit>\n"
        f"  To roll back: {rollback}"
    )


def _log(migration: "FailedMigration") -> str:
    log = migration.log.rstrip() if migration.log else "(no log: its pod is deleted)"
    return f"\nJob {migration.job}: {migration.reason}\n{log}\n"
