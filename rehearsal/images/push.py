"""Pushes small images and cosign's signatures to a registry, as `docker push` and `cosign sign` do."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin

import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey

from rehearsal.clouds.registry import CONFIG, MANIFEST, config_of, digest_of, manifest_of

TIMEOUT_SECONDS = 10
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
EMPTY = "application/vnd.oci.empty.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository of a registry, and the login that may push to it."""

    url: str
    name: str
    username: str = ""
    password: str = ""

    def push_image(self, tag: str, labels: Mapping[str, str] | None = None) -> str:
        """Pushes an image without layers, and returns its digest."""
        config = config_of(f"{self.name}:{tag}", labels or {})
        self.push_blob(config)
        return self.push_manifest(tag, manifest_of(config), MANIFEST)

    def sign(self, digest: str, key: EllipticCurvePrivateKey, *, predicate: str = "cosign/sign") -> None:
        """Signs as cosign 3 does by default: a bundle, listed in the tag that stands in for the referrers API."""
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "", "digest": {"sha256": digest.removeprefix("sha256:")}}],
            "predicateType": f"https://sigstore.dev/{predicate}/v1",
            "predicate": {},
        }
        payload = json.dumps(statement).encode()
        signed = b"DSSEv1 %d %s %d %s" % (len(IN_TOTO), IN_TOTO.encode(), len(payload), payload)
        envelope = {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": IN_TOTO,
            "signatures": [{"sig": _signature(key, signed)}],
        }
        material = {"publicKey": {"hint": ""}, "tlogEntries": []}
        bundle = {"mediaType": BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope}
        self._push_referrer(digest, json.dumps(bundle).encode())

    def sign_as_cosign_2(self, digest: str, key: EllipticCurvePrivateKey) -> None:
        """Signs as cosign 2 does, and cosign 3 with --new-bundle-format=false: in a tag that contains the digest."""
        critical = {
            "identity": {"docker-reference": self.name},
            "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        }
        payload = json.dumps({"critical": critical, "optional": None}).encode()
        layer = _descriptor(payload, SIMPLE_SIGNING) | {
            "annotations": {"dev.cosignproject.cosign/signature": _signature(key, payload)}
        }
        self.push_blob(payload)
        self._push_artifact(f"{digest.replace(':', '-')}.sig", layer, config_type=CONFIG)

    def push_blob(self, content: bytes) -> None:
        """Uploads a blob with two requests."""
        session = self._request("POST", "blobs/uploads/").headers["Location"]
        self._send("PUT", urljoin(self.url, session), content, params={"digest": digest_of(content)})

    def push_manifest(self, reference: str, content: bytes, media_type: str) -> str:
        """Uploads a manifest under a tag or its digest, and returns the digest."""
        self._request("PUT", f"manifests/{reference}", content, media_type)
        return digest_of(content)

    def _push_referrer(self, subject: str, bundle: bytes) -> None:
        self.push_blob(bundle)
        digest, size = self._push_artifact("", _descriptor(bundle, BUNDLE), config_type=EMPTY, subject=subject)
        # go-containerregistry adds to the index that exists. One signature is enough here.
        manifest = {"mediaType": MANIFEST, "digest": digest, "size": size, "artifactType": BUNDLE}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]}
        self.push_manifest(subject.replace(":", "-"), json.dumps(index).encode(), INDEX)

    def _push_artifact(
        self, tag: str, layer: Mapping[str, object], *, config_type: str, subject: str = ""
    ) -> tuple[str, int]:
        config = b"{}"
        self.push_blob(config)
        manifest: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(config, config_type),
            "layers": [layer],
        }
        if subject:
            manifest |= {
                "artifactType": BUNDLE,
                "subject": {"mediaType": MANIFEST, "digest": subject, "size": 0},
            }
        content = json.dumps(manifest).encode()
        return self.push_manifest(tag or digest_of(content), content, MANIFEST), len(content)

    def _request(self, method: str, path: str, content: bytes = b"", media_type: str = "") -> requests.Response:
        return self._send(method, f"{self.url}/v2/{self.name}/{path}", content, media_type)

    def _send(
        self,
        method: str,
        url: str,
        content: bytes,
        media_type: str = "application/octet-stream",
        params: Mapping[str, str] | None = None,
    ) -> requests.Response:
        response = requests.request(
            method,
            url,
            data=content,
            params=params,
            headers={"Content-Type": media_type or "application/octet-stream"},
            auth=(self.username, self.password) if self.password else None,
            timeout=TIMEOUT_SECONDS,
        )
        response.raise_for_status()
        return response


def _descriptor(content: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "size": len(content), "digest": digest_of(content)}


def _signature(key: EllipticCurvePrivateKey, signed: bytes) -> str:
    return base64.b64encode(key.sign(signed, ECDSA(hashes.SHA256()))).decode()
