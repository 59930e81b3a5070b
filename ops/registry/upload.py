"""Writes blobs and manifests to an image registry.

The protocol: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push.
"""

import hashlib
from collections.abc import Iterator
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import urlencode, urljoin

from ops.registry.client import Manifest, NotFoundError, Registry, RegistryError


class Content:
    """A blob that is read while it is sent. Its length is known, so that no registry has to accept chunks."""

    def __init__(self, chunks: Iterator[bytes], size: int) -> None:
        self._chunks = chunks
        self._rest = b""
        self._size = size
        self._hash = hashlib.sha256()

    def __len__(self) -> int:
        return self._size

    @property
    def digest(self) -> str:
        """The digest of what was read."""
        return f"sha256:{self._hash.hexdigest()}"

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._hash.update(chunk)
            yield chunk

    def read(self, size: int, /) -> bytes:
        """The next bytes, which `requests` sends. Empty at the end."""
        self._rest = self._rest or next(self._chunks, b"")
        block, self._rest = self._rest[:size], self._rest[size:]
        self._hash.update(block)
        return block


class WritableRegistry(Registry):
    """A registry with a login that may push."""

    ACTIONS: ClassVar[str] = "pull,push"
    # At the end of an upload, a registry computes the digest of the blob before it responds.
    RESPONSE_SECONDS: ClassVar[int] = 120

    def has_blob(self, name: str, digest: str) -> bool:
        """Whether the repository has the blob."""
        return self._exists(name, f"blobs/{digest}")

    def has_manifest(self, name: str, reference: str) -> bool:
        """Whether the repository has the manifest."""
        return self._exists(name, f"manifests/{reference}")

    def mount(self, name: str, digest: str, other: str) -> bool:
        """Adds a blob of another repository of this registry, without its content. False if the registry does not."""
        query = urlencode({"mount": digest, "from": other})
        response = self._send("POST", self._url_of(name, f"blobs/uploads/?{query}"), name)
        return response.status_code == HTTPStatus.CREATED

    def upload(self, name: str, digest: str, content: Content) -> None:
        """Uploads a blob. The registry compares its digest, and so does this method."""
        start = self._send("POST", self._url_of(name, "blobs/uploads/"), name)
        location = urljoin(self._url_of(name, "blobs/uploads/"), start.headers.get("Location", ""))
        # The login must not be sent to another server.
        if not location.startswith(self._url_of(name, "")):
            raise RegistryError(f"{self.host} returned an upload address of another server or repository")
        separator = "&" if "?" in location else "?"
        headers = {"Content-Type": "application/octet-stream"}
        url = f"{location}{separator}{urlencode({'digest': digest})}"
        self._send("PUT", url, name, headers=headers, content=content)
        if content.digest != digest:
            raise RegistryError(f"other content than that of {digest} was copied to {self.host}")

    def put_manifest(self, name: str, reference: str, manifest: Manifest) -> None:
        """Uploads a manifest under its digest or a tag. The registry must have what it refers to."""
        headers = {"Content-Type": manifest.media_type}
        self._send("PUT", self._url_of(name, f"manifests/{reference}"), name, headers=headers, content=manifest.content)

    def _url_of(self, name: str, path: str) -> str:
        return f"{self._url}/v2/{name}/{path}"

    def _exists(self, name: str, path: str) -> bool:
        try:
            self._request("HEAD", name, path)
        except NotFoundError:
            return False
        return True
