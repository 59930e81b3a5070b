"""The guard rail for signatures: with a public key in the settings, only images that it signed are deployed.

A plan contains no signatures. They are read from the registry.
"""

import json
from collections.abc import Callable, Iterator
from itertools import islice

from infra.settings.messages import PROJECT
from ops.engine.stack import Settings
from ops.errors import OpsError
from ops.guardrails.violation import Violation
from ops.plan import Plan

KEY, IMAGES = f"{PROJECT}:cosignPublicKey", f"{PROJECT}:images"
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
    new = [item for item in our_images(json.loads(plan.config[IMAGES])).items() if item not in checked]
    if not new:
        return
    ours = OurImages.of(settings())
    for app, image in new:
        tag, digest = split(image)
        if reason := _reason(ours.verify, app, digest, key) if digest else "has no digest, which is what a key signs":
            yield Violation(
                resource=f"{IMAGES}.{app}",
                rule=images_are_signed.__name__,
                reason=f"{tag} {reason}",
                fix=f"sign it (docs/images.md#sign-an-image), then: make release STACK={stack} {app.upper()}={tag}",
            )


def _reason(verify: Callable[[str, str, str], None], app: str, digest: str, key: str) -> str:
    try:
        verify(app, digest, key)
    except OpsError as error:
        return str(error)
    return ""
