"""Copies images from one registry to another: blobs first, then the manifests that refer to them, then the tags."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_incrementing

from ops.mirror.images import Source
from ops.registry.client import (
    INDEX_TYPE,
    Document,
    Manifest,
    NotFoundError,
    Registry,
    RegistryError,
    UnreachableError,
)
from ops.registry.upload import Content, WritableRegistry

ATTEMPTS = 3
PAUSE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Blob:
    """A layer or a configuration."""

    digest: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Missing:
    """What the second registry lacks of an image: blobs, and manifests with those that they refer to before them.

    Attributes:
        tags: the manifest of each tag to set: that of the image, and those that contain its signatures.
        signatures: the descriptors of signatures that only the registry of the image lists, and without a tag.
    """

    image: Source
    name: str
    blobs: Sequence[Blob]
    manifests: Sequence[Manifest]
    tags: Sequence[tuple[str, Manifest]]
    signatures: Sequence[Document]

    @property
    def size(self) -> int:
        return sum(blob.size for blob in self.blobs)

    @property
    def nothing(self) -> bool:
        return not (self.blobs or self.manifests or self.tags or self.signatures)


class Mirror:
    """A second registry. Its repositories have the names of the first one, below `prefix`."""

    def __init__(self, registry: WritableRegistry, prefix: str) -> None:
        self.registry = registry
        self._prefix = prefix
        self._repositories: dict[str, str] = {}

    def name(self, image: Source) -> str:
        """The name of the image's repository in this registry."""
        return f"{self._prefix}/{image.name}".lstrip("/")

    def missing(self, image: Source) -> Missing:
        """Compares the image and its signatures with what this registry has. Reads from both, and changes nothing."""
        name, source = self.name(image), image.registry
        top = source.raw_manifest(image.name, image.digest)
        tags = {image.tag: top}
        signatures: Sequence[Document] = ()
        if image.ours:
            tags |= dict(_signature_tags(image))
            if _fallback_tag(image.digest) not in tags:
                signatures = source.referrers(image.name, image.digest)
        tops = [*tags.values(), *(source.raw_manifest(image.name, item["digest"]) for item in signatures)]
        manifests: dict[str, Manifest] = {}
        for manifest in tops:
            for child in _with_children(source, image.name, manifest):
                if not self.registry.has_manifest(name, child.digest):
                    manifests.setdefault(child.digest, child)
        blobs = {blob.digest: blob for manifest in manifests.values() for blob in _blobs(manifest)}
        absent = [blob for blob in blobs.values() if not self.registry.has_blob(name, blob.digest)]
        changed = [(tag, manifest) for tag, manifest in tags.items() if not self._has_tag(name, tag, manifest)]
        return Missing(
            image=image,
            name=name,
            blobs=absent,
            manifests=[*manifests.values()],
            tags=changed,
            signatures=_unlisted(signatures, self.registry.referrers(name, image.digest)) if signatures else (),
        )

    def copy(self, missing: Missing) -> None:
        """Copies what is missing, and compares the digest of the tag. What is complete is not copied again."""
        image, name = missing.image, missing.name
        for blob in missing.blobs:
            _retrying()(self._copy_blob, image, name, blob)
            self._repositories.setdefault(blob.digest, name)
        for manifest in missing.manifests:
            self.registry.put_manifest(name, manifest.digest, manifest)
        for tag, manifest in missing.tags:
            self.registry.put_manifest(name, tag, manifest)
        # A registry with the referrers API lists the manifests that were just copied.
        listed = self.registry.referrers(name, image.digest) if missing.signatures else ()
        if unlisted := _unlisted(missing.signatures, listed):
            self.registry.put_manifest(name, _fallback_tag(image.digest), _index([*listed, *unlisted]))
        if (digest := self.registry.digest(name, image.tag)) != image.digest:
            raise RegistryError(f"{self.registry.host} has the digest {digest} for {image}, not {image.digest}")

    def _copy_blob(self, image: Source, name: str, blob: Blob) -> None:
        if self.registry.has_blob(name, blob.digest):
            return
        other = self._repositories.get(blob.digest)
        if other and other != name and self.registry.mount(name, blob.digest, other):
            return
        content = Content(image.registry.stream(image.name, blob.digest), blob.size)
        self.registry.upload(name, blob.digest, content)

    def _has_tag(self, name: str, tag: str, manifest: Manifest) -> bool:
        try:
            return self.registry.digest(name, tag) == manifest.digest
        except NotFoundError:
            return False


def _retrying() -> Retrying:
    """Repeats the copy of a blob after an interruption."""
    return Retrying(
        retry=retry_if_exception_type(UnreachableError),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_incrementing(start=PAUSE_SECONDS, increment=PAUSE_SECONDS),
        reraise=True,
    )


def _with_children(source: Registry, name: str, manifest: Manifest) -> Iterator[Manifest]:
    """The manifests of an index before the index, because a registry refuses it otherwise."""
    for child in manifest.document.get("manifests") or ():
        yield from _with_children(source, name, source.raw_manifest(name, child["digest"]))
    yield manifest


def _blobs(manifest: Manifest) -> Iterator[Blob]:
    document = manifest.document
    for item in filter(None, [document.get("config"), *(document.get("layers") or ())]):
        # A layer with addresses is on the server of its vendor, and no registry has it.
        if not item.get("urls"):
            yield Blob(digest=item["digest"], size=item["size"])


def _fallback_tag(digest: str) -> str:
    return digest.replace(":", "-")


def _signature_tags(image: Source) -> Iterator[tuple[str, Manifest]]:
    """The tags that contain signatures: that of cosign 2, and that of a registry without the API for referrers."""
    for tag in (f"{_fallback_tag(image.digest)}.sig", _fallback_tag(image.digest)):
        try:
            yield tag, image.registry.raw_manifest(image.name, tag)
        except NotFoundError:
            continue


def _unlisted(signatures: Sequence[Document], listed: Sequence[Document]) -> Sequence[Document]:
    digests = {item["digest"] for item in listed}
    return [item for item in signatures if item["digest"] not in digests]


def _index(descriptors: Sequence[Document]) -> Manifest:
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [dict(item) for item in descriptors]}
    return Manifest(content=json.dumps(index).encode(), media_type=INDEX_TYPE)
