"""Asks the registry of an image for the digest of its tag, without a login.

The protocol: https://distribution.github.io/distribution/spec/api/ and, for the token that even public images need,
https://distribution.github.io/distribution/spec/auth/token/.
"""

import re
from collections.abc import Mapping

import requests

TIMEOUT_SECONDS = 10
DOCKER_HUB = "registry-1.docker.io"
MEDIA_TYPES = (
    # First the index, whose digest is that of the image for all architectures.
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


class RegistryError(Exception):
    """The registry returned no digest: it cannot be reached, needs a login, or does not have the tag."""


def registry_and_name(repository: str) -> tuple[str, str]:
    """The host of the registry, and the name of the repository there. `redis` is `library/redis` on Docker Hub."""
    host, slash, name = repository.partition("/")
    if slash and ("." in host or ":" in host):
        return host, name
    return DOCKER_HUB, repository if slash else f"library/{repository}"


def digest_of(repository: str, tag: str) -> str:
    """The digest, as `sha256:…`. Raises a RegistryError."""
    host, name = registry_and_name(repository)
    try:
        with requests.Session() as session:
            session.headers["Accept"] = ", ".join(MEDIA_TYPES)
            url = f"{base_url(host)}/v2/{name}/manifests/{tag}"
            response = session.head(url, timeout=TIMEOUT_SECONDS)
            if response.status_code == requests.codes.unauthorized:
                session.headers["Authorization"] = f"Bearer {_token(session, response.headers, name)}"
                response = session.head(url, timeout=TIMEOUT_SECONDS)
            digest = response.headers.get("Docker-Content-Digest", "")
            if not response.ok:
                raise RegistryError(f"{host} returned {response.status_code}")
    except requests.RequestException as error:
        raise RegistryError(f"{host} does not respond ({type(error).__name__})") from None
    if re.fullmatch(r"sha256:[0-9a-f]{64}", digest) is None:
        raise RegistryError(f"{host} returned no digest")
    return digest


def base_url(host: str) -> str:
    """The URL of a registry."""
    return f"https://{host}"


def _token(session: requests.Session, headers: Mapping[str, str], name: str) -> str:
    """A token that permits reading one public repository."""
    challenge = dict(re.findall(r'(\w+)="([^"]*)"', headers.get("WWW-Authenticate", "")))
    if "realm" not in challenge:
        raise RegistryError("needs a login")
    parameters = {"service": challenge.get("service", ""), "scope": f"repository:{name}:pull"}
    response = session.get(challenge["realm"], params=parameters, timeout=TIMEOUT_SECONDS)
    token = response.json().get("token") if response.ok else None
    if not isinstance(token, str):
        raise RegistryError("needs a login")
    return token
