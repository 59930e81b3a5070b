"""The lines about what accumulates outside of the cluster: images, dumps of the database and snapshots of servers.

The number of requests is limited: one list for each repository and store, and a few manifests for each repository.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

from minio.error import S3Error
from rich.filesize import decimal

from infra import hetzner
from infra.settings.apps import App
from infra.settings.messages import PROJECT
from infra.settings.schema import Settings
from ops.backups.buckets import STORE_ERRORS, store_client
from ops.engine.stack import Settings as Values
from ops.engine.stack import read_settings
from ops.errors import OpsError
from ops.registry.client import NotFoundError, Registry
from ops.release.digests import OurImages, split
from ops.secret_settings import required_secret
from ops.status.stack import validated

MEASURED = 10
"""The images of one repository whose size is read: one request each, or one for each architecture."""
BYTES_PER_GB = 1_000_000_000


def stored_lines(stack: str) -> Sequence[str]:
    """One line for each kind. What cannot be read is a line with the reason, and no error."""
    try:
        values = read_settings(stack)
        settings = validated(values)
    except OpsError as error:
        return [f"could not read the settings: {error}"]
    kinds: Mapping[str, Callable[[], Sequence[str]]] = {
        "images": lambda: image_lines(settings, OurImages.of(values)),
        "dumps": lambda: [dump_line(settings, values)],
        "snapshots": lambda: [snapshot_line(str(values.get("hetznerToken", "")))],
    }
    with ThreadPoolExecutor() as executor:
        futures = {kind: executor.submit(_readable, read) for kind, read in kinds.items()}
        return [f"{kind:<10} {line}" for kind, future in futures.items() for line in future.result()]


def _readable(read: Callable[[], Sequence[str]]) -> Sequence[str]:
    try:
        return read()
    except OpsError as error:
        return [f"could not be counted: {str(error).splitlines()[0]}"]


def image_lines(settings: Settings, ours: OurImages) -> Sequence[str]:
    """The tags of each repository of ours, and the size of the first ones. The registry has no price list."""
    used = {app: getattr(settings.images, app) for app in get_args(App)}
    if settings.backups:
        used["backup"] = settings.backups.image
    return [_repository_line(ours.registry, ours.name(app), split(value)[0]) for app, value in used.items()]


def _repository_line(registry: Registry, name: str, used: str) -> str:
    try:
        # Signatures are in tags that begin with the digest of their image.
        tags = [tag for tag in registry.tags(name) if not tag.startswith("sha256-")]
    except NotFoundError:
        return f"{name}: none"
    blobs: dict[str, int] = {}
    for tag in tags[:MEASURED]:
        blobs |= _sizes(registry, name, tag)
    least = "at least " if len(tags) > MEASURED else ""
    return f"{name}: {len(tags)} tags, {len({*tags} - {used})} not in use, {least}{decimal(sum(blobs.values()))}"


def _sizes(registry: Registry, name: str, reference: str) -> Mapping[str, int]:
    """The size of each blob of an image by digest: images share layers."""
    manifest = registry.manifest(name, reference)
    blobs: dict[str, int] = {}
    for child in manifest.get("manifests") or ():
        blobs |= _sizes(registry, name, child["digest"])
    for item in filter(None, [manifest.get("config"), *(manifest.get("layers") or ())]):
        blobs[item["digest"]] = item["size"]
    return blobs


def dump_line(settings: Settings, values: Values) -> str:
    """The objects in the bucket of the dumps."""
    if settings.backups is None:
        return f"off: {PROJECT}:backups is not set"
    bucket = settings.backups.bucket
    client = store_client(settings, *(required_secret(values, key) for key in ("backupKeyId", "backupApplicationKey")))
    try:
        sizes = [item.size or 0 for item in client.list_objects(bucket, recursive=True)]
    except STORE_ERRORS as error:
        reason = error.code if isinstance(error, S3Error) else type(error).__name__
        raise OpsError(f"bucket {bucket} could not be listed ({reason})") from None
    price = settings.prices.object_store_gb
    cost = f"no price: {PROJECT}:prices.objectStoreGb is not set"
    if price is not None:
        cost = f"{settings.prices.currency} {sum(sizes) / BYTES_PER_GB * price:.2f} a month"
    return f"{len(sizes)} objects in {bucket}, {decimal(sum(sizes))}, {cost}. Hidden versions cost as much"


def snapshot_line(token: str) -> str:
    """The snapshots of the Hetzner project, which `make up` neither creates nor deletes."""
    client = hetzner.client(token)
    try:
        snapshots = client.images.get_all(type=["snapshot"])
        pricing = client.request("GET", "/pricing")["pricing"]
    except hetzner.ERRORS as error:
        raise OpsError(f"Hetzner's API at {hetzner.endpoint()}: {type(error).__name__}") from None
    size = sum(snapshot.image_size or 0 for snapshot in snapshots)
    price = float(pricing["image"]["price_per_gb_month"]["net"])
    return f"{len(snapshots)} at Hetzner, {size:.1f} GB, {pricing['currency']} {size * price:.2f} a month"
