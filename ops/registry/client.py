"""Reads manifests and blobs from an image registry.

The protocol: https://github.com/opencontainers/distribution-spec/blob/main/spec.md and, for the token that even public
images need, https://distribution.github.io/distribution/spec/auth/token/.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from ops.errors import OpsError

ENDPOINT = "REGISTRY_ENDPOINT"
"""The environment variable with the URL of another registry to ask for our images, such as a mirror."""
TIMEOUT_SECONDS = 10
CHUNK_BYTES = 1 << 20
DOCKER_HUB = "registry-1.docker.io"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
INDEX_TYPES = (
    INDEX_TYPE,
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MEDIA_TYPES = (
    # First the index, whose digest is that of the image for all architectures.
    *INDEX_TYPES,
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
MAXIMUM_TAGS = 1000
LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?")
NO_REFERRERS = (HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_ACCEPTABLE)
"""What a registry returns that does not have the referrers API (go-containerregistry, remote/referrers.go)."""

Document = Mapping[str, Any]
"""A JSON document of the registry."""


class RegistryError(OpsError):
    """The registry did not return what was requested."""


class NotFoundError(RegistryError):
    """The registry does not have the tag, the digest or the repository."""


class UnreachableError(RegistryError):
    """The registry does not respond, or fails."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """The user of a registry, and an access token."""

    username: str
    password: str = field(repr=False)


class _Bearer(AuthBase):
    """Sends a token. Unlike a header of the session, it also keeps `requests` from reading ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A manifest as the registry returned it: its digest is that of exactly these bytes."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    @property
    def document(self) -> Document:
        document: Document = json.loads(self.content)
        return document


class Registry:
    """A registry, and the login for it. Public images need none."""

    ACTIONS: ClassVar[str] = "pull"
    """What a token of the registry must permit."""
    RESPONSE_SECONDS: ClassVar[int] = TIMEOUT_SECONDS

    def __init__(self, host: str, *, login: Login | None = None, url: str = "") -> None:
        self.host = host
        self._url = url or base_url(host)
        self._login = login
        self._auth: dict[str, AuthBase] = {}
        self._session = requests.Session()
        self._session.headers["Accept"] = ", ".join(MEDIA_TYPES)

    def digest(self, name: str, reference: str) -> str:
        """The digest of a tag, or of a digest that exists, as `sha256:…`. Raises a RegistryError."""
        response = self._request("HEAD", name, f"manifests/{reference}")
        digest = response.headers.get("Docker-Content-Digest", "")
        if re.fullmatch(r"sha256:[0-9a-f]{64}", digest) is None:
            raise RegistryError(f"{self.host} returned no digest")
        return digest

    def manifest(self, name: str, reference: str) -> Document:
        """The manifest of a tag or a digest."""
        return self._document(self._request("GET", name, f"manifests/{reference}"), reference)

    def tags(self, name: str) -> Sequence[str]:
        """The tags of a repository, at most a thousand."""
        response = self._request("GET", name, f"tags/list?n={MAXIMUM_TAGS}")
        tags: Sequence[str] = self._document(response, "").get("tags") or ()
        return tags

    def raw_manifest(self, name: str, reference: str) -> Manifest:
        """The bytes of a manifest, which are checked if `reference` is a digest."""
        response = self._request("GET", name, f"manifests/{reference}")
        document = self._document(response, reference)
        media_type = response.headers.get("Content-Type") or str(document.get("mediaType", ""))
        return Manifest(content=response.content, media_type=media_type)

    def stream(self, name: str, digest: str) -> Iterator[bytes]:
        """The content of a blob in chunks, unchecked. Raises an UnreachableError if it ends early."""
        # Otherwise `requests` would unpack the content if the server compressed it.
        headers = {"Accept-Encoding": "identity"}
        url = f"{self._url}/v2/{name}/blobs/{digest}"
        with self._send("GET", url, name, headers=headers, stream=True) as response:
            try:
                yield from response.iter_content(CHUNK_BYTES)
            except requests.RequestException as error:
                raise UnreachableError(f"{self.host} ended a download ({type(error).__name__})") from None

    def blob(self, name: str, digest: str) -> bytes:
        """A blob by its digest, which is checked."""
        return self._checked(self._request("GET", name, f"blobs/{digest}").content, digest)

    def referrers(self, name: str, digest: str) -> Sequence[Document]:
        """The descriptors of all manifests whose subject is this digest, such as signatures.

        A registry without the API for it has an index of them in a tag that is derived from the digest.
        """
        try:
            response = self._request("GET", name, f"referrers/{digest}", missing=NO_REFERRERS)
            index = self._document(response, "")
        except NotFoundError:
            try:
                index = self.manifest(name, digest.replace(":", "-"))
            except NotFoundError:
                return ()
        manifests: Sequence[Document] = index.get("manifests") or ()
        return manifests

    def labels(self, name: str, digest: str) -> Mapping[str, str]:
        """The labels of an image. Those of the first architecture: a build gives all architectures the same."""
        manifest = self.manifest(name, digest)
        if manifest.get("mediaType") in INDEX_TYPES or "manifests" in manifest:
            # An index also contains attestations of the build, whose platform is unknown.
            images = [item for item in manifest["manifests"] if item.get("platform", {}).get("os") != "unknown"]
            if not images:
                raise RegistryError(f"{self.host}/{name}@{digest} is an index without images")
            manifest = self.manifest(name, images[0]["digest"])
        config = json.loads(self.blob(name, manifest["config"]["digest"]))
        labels: Mapping[str, str] = (config.get("config") or {}).get("Labels") or {}
        return labels

    def _document(self, response: requests.Response, reference: str) -> Document:
        content = self._checked(response.content, reference) if reference.startswith("sha256:") else response.content
        try:
            document: Document = json.loads(content)
        except ValueError:
            raise RegistryError(f"{self.host} returned no JSON") from None
        return document

    def _checked(self, content: bytes, digest: str) -> bytes:
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise RegistryError(f"{self.host} returned other content than that of {digest}")
        return content

    def _request(
        self, method: str, name: str, path: str, *, missing: Sequence[int] = (HTTPStatus.NOT_FOUND,)
    ) -> requests.Response:
        return self._send(method, f"{self._url}/v2/{name}/{path}", name, missing=missing)

    def _send(
        self,
        method: str,
        url: str,
        name: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | Iterable[bytes] | None = None,
        stream: bool = False,
        missing: Sequence[int] = (HTTPStatus.NOT_FOUND,),
    ) -> requests.Response:
        """Sends a request for the repository `name`. A token that has expired is replaced, except after an upload."""

        def send() -> requests.Response:
            return self._session.request(
                method,
                url,
                auth=self._auth.get(name),
                headers=headers,
                data=content,
                stream=stream,
                timeout=(TIMEOUT_SECONDS, self.RESPONSE_SECONDS),
            )

        repeatable = content is None or isinstance(content, bytes)
        try:
            response = send()
            replaceable = name not in self._auth or isinstance(self._auth[name], _Bearer)
            if response.status_code == HTTPStatus.UNAUTHORIZED and replaceable and repeatable:
                self._auth[name] = self._authentication(response.headers, name)
                response = send()
        except requests.RequestException as error:
            raise UnreachableError(f"{self.host} does not respond ({type(error).__name__})") from None
        if response.status_code in missing:
            raise NotFoundError(f"{self.host} returned {response.status_code}")
        if response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise RegistryError(f"{self.host} returned {response.status_code}: {self._refused_login()}")
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise UnreachableError(f"{self.host} returned {response.status_code}")
        if not response.ok:
            raise RegistryError(f"{self.host} returned {response.status_code}")
        return response

    def _authentication(self, headers: Mapping[str, str], name: str) -> AuthBase:
        """The login that the registry asks for: the password itself, or a token that permits reading one repository."""
        challenge = headers.get("WWW-Authenticate", "")
        scheme, _, rest = challenge.partition(" ")
        basic = HTTPBasicAuth(self._login.username, self._login.password) if self._login else None
        if scheme.lower() == "basic" and basic:
            return basic
        parameters = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        realm = parameters.get("realm", "")
        # The password must not leave the machine in plain text because a registry names such a server.
        if scheme.lower() != "bearer" or not realm.startswith(("https://", f"{self._url}/")):
            raise RegistryError(self._refused_login())
        query = {"service": parameters.get("service", ""), "scope": f"repository:{name}:{self.ACTIONS}"}
        response = self._session.get(realm, params=query, auth=basic, timeout=TIMEOUT_SECONDS)
        content = response.json() if response.ok else {}
        token = content.get("token") or content.get("access_token")
        if not isinstance(token, str):
            raise RegistryError(self._refused_login())
        return _Bearer(token)

    def _refused_login(self) -> str:
        return "the login is not accepted" if self._login else "needs a login"


def registry_and_name(repository: str) -> tuple[str, str]:
    """The host of the registry, and the name of the repository there. `redis` is `library/redis` on Docker Hub."""
    host, slash, name = repository.partition("/")
    if host == "docker.io":
        return registry_and_name(name)
    if slash and ("." in host or ":" in host):
        return host, name
    return DOCKER_HUB, repository if slash else f"library/{repository}"


def digest_of(repository: str, tag: str) -> str:
    """The digest of a public image, as `sha256:…`. Raises a RegistryError."""
    host, name = registry_and_name(repository)
    return Registry(host).digest(name, tag)


def base_url(host: str) -> str:
    """The URL of a registry. As with container runtimes, without TLS only on this machine."""
    return f"{'http' if LOOPBACK.fullmatch(host) else 'https'}://{host}"


def endpoint(host: str) -> str:
    """The URL at which our registry is asked: its own, or that of the environment. Raises an OpsError."""
    url = (os.environ.get(ENDPOINT) or base_url(host)).rstrip("/")
    # As container runtimes do: without TLS only on this machine, because the password is sent.
    if re.match(r"https://|http://(127\.0\.0\.1|localhost)(:|$)", url) is None:
        raise OpsError(f"{ENDPOINT} is {url}: expected a URL that begins with https://, without a path")
    return url
