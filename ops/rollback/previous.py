"""The release to which a rollback returns, and whether its images work with the schema that the database has now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ops.errors import OpsError
from ops.registry.client import RegistryError
from ops.release.digests import OurImages, split
from ops.release.records import ReleaseRecord, attempts
from ops.release.schema import COMPATIBLE_WITH, SCHEMA_VERSION, Schema

BY_HAND = "To release it anyway: {command} (docs/rollback.md#when-a-rollback-is-refused)"


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """The previous complete release, and the updates after it, newest first."""

    stack: str
    previous: ReleaseRecord
    later: Sequence[ReleaseRecord]

    @property
    def command(self) -> str:
        """The command that releases the same tags without checking the schema."""
        tags = " ".join(f"{app.upper()}={image}" for app, image in self.previous.images.items())
        return f"make release STACK={self.stack} {tags}"


def find_previous(stack: str) -> Rollback:
    """The newest update that succeeded with other images than those of the last update. Raises an OpsError."""
    later: list[ReleaseRecord] = []
    for attempt in attempts(stack):
        if later and attempt.complete and attempt.images and attempt.images != later[0].images:
            rollback = Rollback(stack=stack, previous=attempt, later=later)
            _require_digests(rollback)
            return rollback
        later.append(attempt)
    raise OpsError(f"stack {stack} has no previous release: every complete update had the images that run now")


def _require_digests(rollback: Rollback) -> None:
    """Raise an OpsError if an image that changes has no digest. The others stay as they are."""
    running = rollback.later[0].images
    images = rollback.previous.images.items()
    if missing := [app for app, image in images if image != running.get(app) and not split(image)[1]]:
        raise OpsError(
            f"the previous release of {', '.join(missing)} was recorded without a digest, and its tag may have moved. "
            f"Nothing was changed. {BY_HAND.format(command=rollback.command)}"
        )


def check_schema(rollback: Rollback, ours: OurImages) -> Schema | None:
    """The schema of the previous release. Raises an OpsError if its images may not work with the database.

    The database has the schema of the newest of all api images that were applied since, also by an update that failed
    after its migration. Each of them must declare that it is compatible with the schema of the previous release.
    """
    recorded = _recorded(rollback)
    image = rollback.previous.images.get("api", "")
    others = list(dict.fromkeys(item.images["api"] for item in rollback.later if "api" in item.images))
    if set(others) <= {image}:
        return recorded.get(image)
    schema = _schema(image, recorded, ours)
    if schema is None:
        raise OpsError(_refusal(rollback, f"api {split(image)[0]} does not have the label {SCHEMA_VERSION}"))
    for other in others:
        if other != image and (reason := _incompatible(_schema(other, recorded, ours), other, schema)):
            raise OpsError(_refusal(rollback, reason))
    return schema


def _incompatible(later: Schema | None, image: str, schema: Schema) -> str:
    """Why a release with this schema may not work after the migrations of the later image. Empty if it does."""
    tag = split(image)[0]
    if later is None:
        return f"api {tag} does not have the label {SCHEMA_VERSION}"
    if later.version <= schema.version:
        return ""
    if later.compatible_with is None:
        return (
            f"api {tag} migrated the schema from {schema.version} to {later.version}, and does not have the label "
            f"{COMPATIBLE_WITH}"
        )
    if later.compatible_with > schema.version:
        return (
            f"api {tag} migrated the schema to {later.version}, which is compatible with {later.compatible_with} and "
            f"newer. The previous release has {schema.version}"
        )
    return ""


def _refusal(rollback: Rollback, reason: str) -> str:
    return f"Refused: {reason}. Nothing was changed. {BY_HAND.format(command=rollback.command)}"


def _recorded(rollback: Rollback) -> Mapping[str, Schema]:
    """The schema by image of api, as far as the history records it."""
    records = (rollback.previous, *rollback.later)
    return {record.images["api"]: record.schema for record in records if record.schema and "api" in record.images}


def _schema(image: str, recorded: Mapping[str, Schema], ours: OurImages) -> Schema | None:
    """The schema of an image of api: from the history, or from the labels of the image."""
    if image in recorded:
        return recorded[image]
    tag, digest = split(image)
    try:
        # An image without a digest was released before digests were, and its tag is all that is known of it.
        return Schema.of_labels(ours.labels("api", digest or ours.registry.digest(ours.name("api"), tag)))
    except RegistryError as error:
        raise OpsError(f"the schema of api {tag} is unknown: {error}. Nothing was changed") from None
