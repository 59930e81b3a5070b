"""The simulated registry of our images: the part of the distribution API that `make release` and a push need.

Every tag exists without a push, except those that begin with `missing` and the tags of signatures: a rehearsal releases
commits that nobody has built. The specification: https://github.com/opencontainers/distribution-spec.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Request, Response, request

from .account import Token
from .cloud import current
from .vendor import Answer, Vendor

NAME: Final = "registry"
MISSING: Final = ("missing", "sha256-")
"""The beginnings of tags that only a push creates."""
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"

blueprint = Blueprint(NAME, __name__)


def digest_of(content: bytes) -> str:
    """The digest by which a registry stores the content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def manifest_of(config: bytes) -> bytes:
    """The manifest of an image without layers."""
    descriptor = {"mediaType": CONFIG, "size": len(config), "digest": digest_of(config)}
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor, "layers": []}).encode()


def config_of(reference: str, labels: Mapping[str, str]) -> bytes:
    """The configuration of an image. The reference makes the digests of two images differ."""
    config = {"Labels": {**labels, "org.opencontainers.image.ref.name": reference}}
    return json.dumps({"architecture": "amd64", "os": "linux", "config": config}).encode()


@blueprint.get("/<path:name>/manifests/<reference>")
def read_manifest(name: str, reference: str) -> Response | Answer:
    """A manifest by tag or digest."""
    tags, manifests = current().of("tags"), current().of("manifests")
    if f"{name}:{reference}" not in tags and ":" not in reference and not reference.startswith(MISSING):
        config = config_of(f"{name}:{reference}", {})
        _store_blob(config)
        _store_manifest(name, reference, manifest_of(config))
    digest = tags.get(f"{name}:{reference}", {}).get("digest", reference)
    stored = manifests.get(f"{name}@{digest}")
    if stored is None:
        return _error("MANIFEST_UNKNOWN")
    content = json.loads(stored["content"])
    response = Response(stored["content"], mimetype=content.get("mediaType", MANIFEST))
    response.headers["Docker-Content-Digest"] = digest
    return response


@blueprint.put("/<path:name>/manifests/<reference>")
def write_manifest(name: str, reference: str) -> Response:
    """Stores a manifest under a tag or its digest."""
    digest = _store_manifest(name, reference, request.get_data())
    response = Response(status=HTTPStatus.CREATED)
    response.headers["Docker-Content-Digest"] = digest
    return response


@blueprint.get("/<path:name>/blobs/<digest>")
def read_blob(name: str, digest: str) -> Response | Answer:  # noqa: ARG001  # all repositories share their blobs
    """A blob by digest."""
    stored = current().of("blobs").get(digest)
    if stored is None:
        return _error("BLOB_UNKNOWN")
    return Response(base64.b64decode(stored["content"]), mimetype="application/octet-stream")


@blueprint.post("/<path:name>/blobs/uploads/")
def begin_upload(name: str) -> Response:
    """The URL for the upload of a blob, which the client completes with one PUT."""
    response = Response(status=HTTPStatus.ACCEPTED)
    response.headers["Location"] = f"/v2/{name}/blobs/uploads/session"
    return response


@blueprint.put("/<path:name>/blobs/uploads/session")
def complete_upload(name: str) -> Response:  # noqa: ARG001  # all repositories share their blobs
    """Stores the blob."""
    _store_blob(request.get_data())
    return Response(status=HTTPStatus.CREATED)


@blueprint.get("/<path:name>/referrers/<digest>")
def read_referrers(name: str, digest: str) -> Answer:  # noqa: ARG001  # the registry does not have this API
    """As distribution 3 and Gitea answer: clients then read the tag that is derived from the digest."""
    return _error("UNSUPPORTED")


@blueprint.after_request
def add_challenge(response: Response) -> Response:
    """Asks a client without a login for one."""
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Basic realm="registry"'
    return response


def authenticate(request: Request, tokens: Sequence[Token], changes: bool) -> Answer | None:
    """An error if the password is unknown, or may not push. The user can have any name."""
    login = request.authorization
    password = login.password if login and login.type == "basic" else ""
    token = next((token for token in tokens if token.vendor == NAME and token.value == password), None)
    if token is None:
        return _error("UNAUTHORIZED", HTTPStatus.UNAUTHORIZED)
    if changes and "push" not in token.rights:
        return _error("DENIED", HTTPStatus.FORBIDDEN)
    return None


def _store_blob(content: bytes) -> None:
    current().of("blobs")[digest_of(content)] = {"content": base64.b64encode(content).decode()}


def _store_manifest(name: str, reference: str, content: bytes) -> str:
    digest = digest_of(content)
    current().of("manifests")[f"{name}@{digest}"] = {"content": content.decode()}
    if ":" not in reference:
        current().of("tags")[f"{name}:{reference}"] = {"digest": digest}
    return digest


def _error(code: str, status: HTTPStatus = HTTPStatus.NOT_FOUND) -> Answer:
    return {"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}, status


VENDOR: Final = Vendor(
    name=NAME,
    prefix="/v2",
    blueprint=blueprint,
    authenticate=authenticate,
    unknown_path=lambda _request, status: _error("UNSUPPORTED", HTTPStatus(status)),
    broken=lambda message: ({"errors": [{"code": "UNKNOWN", "message": message}]}, 500),
)
