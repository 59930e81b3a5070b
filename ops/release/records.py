"""The record of releases: the history of the Pulumi state, which has the settings and the result of each update.

It is in the bucket of the state and not in the cluster. Everyone who can read the state can read it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

from infra.settings.apps import App
from infra.settings.messages import PROJECT
from ops.engine.history import Update, updates
from ops.release.schema import Schema

IMAGES = f"{PROJECT}:images"
Images = Mapping[str, str]
"""The settings of our images, `TAG` or `TAG@DIGEST`, by app."""


@dataclass(frozen=True, kw_only=True)
class ReleaseRecord:
    """An update and the images that it applied.

    Attributes:
        time: when the update started, in RFC 3339.
        complete: whether the update succeeded.
        images: of api, worker, admin and web.
        schema: of the api image. None unless `make release` or `make rollback` started the update.
        revision: the commit of the checkout. Empty outside of a repository.
    """

    time: str
    complete: bool
    images: Images
    schema: Schema | None
    revision: str


def our_images(value: object) -> Images:
    """Our images in a value of `honeydue:images`."""
    content = value if isinstance(value, Mapping) else {}
    return {app: str(content[app]) for app in get_args(App) if app in content}


def release_of(update: Update) -> ReleaseRecord:
    """The release that an update applied."""
    return ReleaseRecord(
        time=update.start_time,
        complete=update.succeeded,
        images=our_images(update.setting(IMAGES)),
        schema=Schema.of_message(update.message),
        revision=update.environment.get("git.head", ""),
    )


def attempts(stack: str) -> Iterator[ReleaseRecord]:
    """All updates of the stack, newest first, complete or not. A targeted update deploys no images."""
    return (release_of(update) for update in updates(stack) if not update.targeted)


def releases(stack: str) -> Iterator[ReleaseRecord]:
    """The complete releases, newest first: of the updates with the same images, the first one."""
    release: ReleaseRecord | None = None
    for attempt in attempts(stack):
        if not attempt.complete:
            continue
        if release and attempt.images != release.images:
            yield release
        release = attempt
    if release:
        yield release
