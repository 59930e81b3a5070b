"""The guard rail for signatures: with a public key in the settings, only images that it signed are deployed.

A plan contains no signatures. They are read from the registry.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from infra.settings.messages import PROJECT
from ops.engine.history import last_updates
from ops.engine.stack import Settings
from ops.errors import OpsError
from ops.guardrails.violation import Violation
from ops.plan import Plan

KEY, IMAGES, BACKUPS = f"{PROJECT}:cosignPublicKey", f"{PROJECT}:images", f"{PROJECT}:backups"
BACKUP = "backup"
"""The name of honeydue-backup among our images."""
CHECKED_RELEASES = 2
"""The running release and the one before it, to which a rollback returns: the registry may not respond then."""


def images_are_signed(stack: str, plan: Plan, settings: Callable[[], Settings]) -> Iterator[Violation]:
    """Guard rail: our key signed each image that the last releases did not have. Nothing without a key."""
    key = plan.config.get(KEY, "").strip()
    if not key:
        return
    # Imported here: without a key, a preview does not need the client of the registry.
    from ops.release.digests import OurImages, split  # noqa: PLC0415
    from ops.release.records import our_images, releases  # noqa: PLC0415

    checked = {item for release in islice(releases(stack), CHECKED_RELEASES) for item in release.images.items()}
    _, complete = last_updates(stack)
    checked |= _backup_image(complete.setting(BACKUPS) if complete else None).items()
    planned = {**our_images(plan.setting(IMAGES)), **_backup_image(plan.setting(BACKUPS))}
    new = [item for item in planned.items() if item not in checked]
    if not new:
        return
    ours = OurImages.of(settings())
    for app, image in new:
        tag, digest = split(image)
        if reason := _reason(ours.verify, app, digest, key) if digest else "has no digest, which is what a key signs":
            yield Violation(
                resource=f"{BACKUPS}.image" if app == BACKUP else f"{IMAGES}.{app}",
                rule=images_are_signed.__name__,
                reason=f"{tag} {reason}",
                fix=f"sign it (docs/images.md#sign-an-image), then: {_command(stack, app, tag)}",
            )


def _backup_image(backups: object) -> Mapping[str, str]:
    """The image of the dumps in a value of `honeydue:backups`, which has the password of the database."""
    image = backups.get("image") if isinstance(backups, Mapping) else None
    return {BACKUP: str(image)} if image else {}


def _command(stack: str, app: str, tag: str) -> str:
    if app == BACKUP:
        return f"pulumi config set --stack {stack} --type string --path {BACKUPS}.image {tag}@sha256:…"
    return f"make release STACK={stack} {app.upper()}={tag}"


def _reason(verify: Callable[[str, str, str], None], app: str, digest: str, key: str) -> str:
    try:
        verify(app, digest, key)
    except OpsError as error:
        return str(error)
    return ""
