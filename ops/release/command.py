"""The `release` command. The settings keep the new images only if the update started."""

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ops import stackfile
from ops.confirmation import confirm
from ops.engine.history import Update, last_updates
from ops.engine.stack import read_settings
from ops.engine.update import apply
from ops.errors import OpsError
from ops.guardrails.commands import checked_plan, refresh_option, remove_undeclared, stack_option
from ops.plan import Plan, short_name
from ops.recovery.continuation import existing_resources
from ops.recovery.pending import clear_pending_creations
from ops.release.annotation import mark, started
from ops.release.digests import OurImages, console, shown, split
from ops.release.records import IMAGES, our_images
from ops.release.schema import Schema, message_of
from ops.resize.planned import resize_of

if TYPE_CHECKING:
    from ops.release.failed_migration import FailedMigration

RELEASE, ROLLBACK = "Release", "Roll back to"
QUESTIONS = {RELEASE: "Release this to {stack}?", ROLLBACK: "Roll back {stack} to this?"}


@dataclass(frozen=True, kw_only=True)
class Release:
    """A confirmed release.

    Attributes:
        plan: the checked plan, which contains the new images.
        running: the images of the last complete update. An older one in the settings may never have run.
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

    Writes the tags to the settings, each with the digest that the registry has for it, checks the plan, asks for
    confirmation and applies it.

    If the plan is refused or the release declined, or if the engine does not start it, the settings stay unchanged. If
    a migration fails, prints its log.
    """
    # The digest is that of one image. The worker's has the same tag and another digest.
    worker = tags["worker"] or (tags["api"] or "").partition("@")[0]
    new_tags = {app: tag for app, tag in (tags | {"worker": worker}).items() if tag}
    if not new_tags:
        raise click.UsageError("nothing to release: name at least one image, for example make release API=<commit>")
    require_images(stackfile.settings_file(stack), new_tags)
    with console.status("Reading the digests"):
        ours = OurImages.of(read_settings(stack))
        images = {app: ours.resolve(app, tag) for app, tag in new_tags.items()}
        schema = _schema(ours, images)
    sys.exit(apply_release(stack, images, schema=schema, action=RELEASE, refresh=refresh, ask=not yes))


def _schema(ours: OurImages, images: Mapping[str, str]) -> Schema | None:
    """The schema that the image of api declares, to record it."""
    _, digest = split(images.get("api", ""))
    try:
        return Schema.of_labels(ours.labels("api", digest)) if digest else None
    except OpsError:
        # The registry does not respond, as `resolve` has reported. The release needs no label.
        return None


def apply_release(
    stack: str, images: Mapping[str, str], *, schema: Schema | None, action: str, refresh: bool, ask: bool
) -> int:
    """Write the images to the settings, confirm and apply them. Returns the exit code of the engine.

    `action` is RELEASE or ROLLBACK. The history records it with the tags and the schema.
    """
    file = stackfile.settings_file(stack)
    with _restored_on_exit(file):
        confirmed = confirm_images(stack, images, refresh=refresh, ask=ask, action=action)
        clear_pending_creations(stack)
        remove_undeclared(stack, confirmed.plan)
        annotation = started(stack, confirmed.plan)
        message = message_of(action, {app: split(image)[0] for app, image in images.items()}, schema)
        status = apply(stack, refresh=confirmed.plan.refreshed, message=message)
        # A negative status is that of an engine that was killed.
        if status > 0 and _not_started(stack, confirmed.last):
            raise OpsError(
                "the engine did not start the update, as shown above. Nothing was changed, and "
                f"{file.name} has the old images again"
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


def confirm_images(stack: str, images: Mapping[str, str], *, refresh: bool, ask: bool, action: str) -> Release:
    """Write the images, check the plan and ask. Ends the command if the plan is refused or the release declined."""
    old = set_images(stackfile.settings_file(stack), images)
    last, complete = last_updates(stack)
    running = _running_images(complete, old)
    for app, image in images.items():
        console.print(f"{app}: {shown(running[app])} → {shown(image)}", markup=False)
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
        confirm(QUESTIONS[action].format(stack=stack))
    return Release(plan=plan, running=running, last=last)


def require_images(file: Path, apps: Collection[str]) -> Mapping[str, str]:
    """The images of these apps in the settings file. Raises an OpsError if it lacks one."""
    images = stackfile.load(file).get("config", {}).get(IMAGES, {})
    if missing := set(apps) - images.keys():
        keys = ", ".join(f"{IMAGES}.{app}" for app in sorted(missing))
        raise OpsError(f"{file.name} has no {keys}. Pulumi.yaml describes {IMAGES}")
    return {app: str(images[app]) for app in apps}


def set_images(file: Path, images: Mapping[str, str]) -> Mapping[str, str]:
    """Write the images to the settings file and return the old ones."""
    old = require_images(file, images)
    for app, image in images.items():
        stackfile.set_value(file, f"{IMAGES}.{app}", image)
    return old


def _running_images(complete: Update | None, old: Mapping[str, str]) -> Mapping[str, str]:
    """The images of the last complete update, or the old ones of the settings if there was none.

    After a release that failed, the settings contain an image that never ran.
    """
    running = our_images(complete.setting(IMAGES)) if complete else {}
    return {app: running.get(app, image) for app, image in old.items()}


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
        # Ctrl-C and sys.exit included: the next `up` must not release an unconfirmed image.
        if content is not None:
            file.write_bytes(content)
        raise


def _explain_failure(stack: str, running: Mapping[str, str]) -> None:
    # Imported here, because the Kubernetes client is slow to import and a successful release does not need it.
    from ops.release.failed_migration import find_failed_migration  # noqa: PLC0415

    rollback = f"make release STACK={stack} " + " ".join(f"{app.upper()}={image}" for app, image in running.items())
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
