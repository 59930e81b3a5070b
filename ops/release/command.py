"""The `release` command. The settings keep the new image tags only if the update started."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from ops import stackfile
from ops.confirmation import confirm
from ops.engine.history import Update, last_updates
from ops.engine.update import apply
from ops.errors import OpsError
from ops.guardrails.commands import checked_plan, refresh_option, remove_undeclared, stack_option
from ops.plan import Plan, short_name
from ops.recovery.continuation import existing_resources
from ops.recovery.pending import clear_pending_creations
from ops.release.annotation import mark, started
from ops.resize.planned import resize_of

if TYPE_CHECKING:
    from ops.release.failed_migration import FailedMigration

IMAGES = "honeydue:images"

console = Console(soft_wrap=True, highlight=False)


@dataclass(frozen=True, kw_only=True)
class Release:
    """A confirmed release.

    Attributes:
        plan: the checked plan, which contains the new tags.
        running: the tags of the last complete update. An older tag in the settings may never have run.
        last: the last update before this release, complete or not.
    """

    plan: Plan
    running: Mapping[str, str]
    last: Update | None


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
@refresh_option
@click.option("--yes", is_flag=True, help="Release without asking for confirmation.")
def release(stack: str, refresh: bool, yes: bool, **tags: str | None) -> None:
    """Release new image tags.

    Writes the tags to the settings, checks the plan, asks for confirmation and applies it.

    If the plan is refused or the release declined, or if the engine does not start it, the settings stay unchanged. If
    a migration fails, prints its log.
    """
    # The digest is that of one image. The worker's has the same tag and another digest.
    worker = tags["worker"] or (tags["api"] or "").partition("@")[0]
    new_tags = {app: tag for app, tag in (tags | {"worker": worker}).items() if tag}
    if not new_tags:
        raise click.UsageError("nothing to release: name at least one image, for example make release API=<commit>")
    sys.exit(_release(stack, new_tags, refresh=refresh, ask=not yes))


def _release(stack: str, tags: Mapping[str, str], *, refresh: bool, ask: bool) -> int:
    file = stackfile.settings_file(stack)
    with _restored_on_exit(file):
        confirmed = confirm_images(stack, tags, refresh=refresh, ask=ask)
        clear_pending_creations(stack)
        remove_undeclared(stack, confirmed.plan)
        annotation = started(stack, confirmed.plan)
        status = apply(stack, refresh=confirmed.plan.refreshed)
        # A negative status is that of an engine that was killed.
        if status > 0 and _not_started(stack, confirmed.last):
            raise OpsError(
                "the engine did not start the update, as shown above. Nothing was changed, and "
                f"{file.name} has the old tags again"
            )
    mark(annotation, completed=status == 0)
    if status == 0:
        console.print(
            f"Released. Commit {file.name}: until then, CI's drift check reports the new tags, and its next deployment "
            "releases the old ones."
        )
    else:
        _explain_failure(stack, confirmed.running)
    return status


def confirm_images(stack: str, tags: Mapping[str, str], *, refresh: bool, ask: bool) -> Release:
    """Write the tags, check the plan and ask. Ends the command if the plan is refused or the release declined."""
    old_tags = set_images(stackfile.settings_file(stack), tags)
    last, complete = last_updates(stack)
    running = _running_tags(complete, old_tags)
    for app, tag in tags.items():
        console.print(f"{app}: {running[app]} → {tag}")
    # A release deletes nothing. Confirm a deletion with make up ALLOW_DELETE=… before it.
    plan = checked_plan(stack, refresh=refresh)
    if resize := resize_of(plan):
        raise OpsError(
            f"the plan also resizes {short_name(resize.urn)}, for which make up drains its node. "
            f"Run make up STACK={stack} first, then release"
        )
    if existing_resources(stack, plan):
        raise OpsError(f"an earlier up was interrupted. Run make up STACK={stack} first, then release")
    if ask:
        confirm(f"Release this to {stack}?")
    return Release(plan=plan, running=running, last=last)


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


def _running_tags(complete: Update | None, old_tags: Mapping[str, str]) -> Mapping[str, str]:
    """The tags of the last complete update, or the old ones of the settings if there was none.

    After a release that failed, the settings contain a tag that never ran.
    """
    images = complete.setting(IMAGES) if complete else None
    deployed = images if isinstance(images, dict) else {}
    return {app: str(deployed.get(app, tag)) for app, tag in old_tags.items()}


def _not_started(stack: str, last: Update | None) -> bool:
    """Whether the history has no update after `last`: the engine records each one that it started."""
    try:
        return last_updates(stack)[0] == last
    except OpsError:
        # The update may have started, and the settings must then keep its tags.
        return False


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


def _explain_failure(stack: str, running: Mapping[str, str]) -> None:
    # Imported here, because the Kubernetes client is slow to import and a successful release does not need it.
    from ops.release.failed_migration import find_failed_migration  # noqa: PLC0415

    rollback = f"make release STACK={stack} " + " ".join(f"{app.upper()}={tag}" for app, tag in running.items())
    try:
        migration = find_failed_migration(stack)
    except OpsError as error:
        # The output of `up` above has the failure itself, and the command that prints the migration's log.
        console.print(
            f"[red]release:[/] failed as shown above. Could not check whether the migration failed: {error}\n"
            f"  To roll back to the last complete release: {rollback}"
        )
        return
    if migration is None:
        console.print(
            "[red]release:[/] failed as shown above. The settings have the new tags.\n"
            f"  To continue after a fix: make up STACK={stack}\n"
            f"  To roll back to the last complete release: {rollback}"
        )
        return
    console.print(_log(migration), markup=False)
    console.print(
        "[red]release:[/] the migration failed. No new api or worker pod was started; the old pods keep serving.\n"
        "  goose rolled back the failed migration file. The files before it stay applied.\n"
        f"  To continue, fix it, build an image, and run: make release STACK={stack} API=<its commit>\n"
        f"  To roll back to the last complete release: {rollback}"
    )


def _log(migration: "FailedMigration") -> str:
    log = migration.log.rstrip() if migration.log else "(no log: its pod is deleted)"
    return f"\nJob {migration.job}: {migration.reason}\n{log}\n"
