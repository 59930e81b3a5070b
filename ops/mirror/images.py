"""The images that a second registry needs so that every pod of the settings can start: ours, and those of others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from infra.settings.apps import App
from infra.settings.backups import REPOSITORY as BACKUP_REPOSITORY
from infra.settings.schema import Settings
from infra.settings.types import repository
from ops.errors import OpsError
from ops.registry.client import Registry, RegistryError, registry_and_name
from ops.release.digests import OurImages, split


@dataclass(frozen=True, kw_only=True)
class Source:
    """An image by digest, in the repository `name` of the registry that the cluster pulls from."""

    registry: Registry
    name: str
    tag: str
    digest: str
    ours: bool

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}"


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The images, and a line for each one whose digest is unknown."""

    images: Sequence[Source]
    errors: Sequence[str]


def sources(settings: Settings, ours: OurImages) -> Sources:
    """The images of the settings, by the digest that they name or that the registry has for their tag."""
    images: list[Source] = []
    errors: list[str] = []
    for name, tag, app in _declared(settings):
        try:
            images.append(_our_image(ours, app, tag) if app else _public_image(name, tag))
        except OpsError as error:
            errors.append(f"{name}: {str(error).splitlines()[0]}")
    return Sources(images=images, errors=errors)


def _declared(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """The repository and the tag of each image, and the app if it is ours. A tag may have a digest."""
    for app in get_args(App):
        yield app, getattr(settings.images, app), app
    if settings.backups:
        yield BACKUP_REPOSITORY, settings.backups.image, "backup"
    groups = [settings.monitoring and settings.monitoring.images, settings.logs and settings.logs.images]
    others = [image for group in groups if group for image in group.model_dump().values()]
    for image in (settings.images.redis, *others):
        name = repository(image)
        yield name, image.removeprefix(f"{name}:"), ""


def _our_image(ours: OurImages, app: str, value: str) -> Source:
    tag, digest = split(ours.resolve(app, value))
    return Source(registry=ours.registry, name=ours.name(app), tag=tag, digest=digest, ours=True)


def _public_image(image: str, value: str) -> Source:
    tag, digest = split(value)
    host, name = registry_and_name(image)
    registry = Registry(host)
    try:
        return Source(registry=registry, name=name, tag=tag, digest=registry.digest(name, digest or tag), ours=False)
    except RegistryError as error:
        raise OpsError(str(error)) from None
