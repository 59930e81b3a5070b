"""Verifies cosign's signatures of an image with our public key.

cosign 3 stores a signature as a Sigstore bundle, which refers to the image (pkg/oci/remote/write.go,
WriteAttestationNewBundleFormat). cosign 2, and cosign 3 with `--new-bundle-format=false`, store it in the tag
`sha256-<digest>.sig` (WriteSignatures). Entries in sigstore's transparency log are neither required nor read.
"""

import json
from base64 import b64decode
from collections.abc import Iterator

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ops.errors import OpsError
from ops.registry.client import Document, NotFoundError, Registry

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle"
"""The beginning of the bundle's media type, before its version."""
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/"
SIGNATURE_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
"""What `cosign sign` states. The same key may sign other statements about an image, which are no approval."""
SIMPLE_SIGNING_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
SIMPLE_SIGNING = "cosign container image signature"


class SignatureError(OpsError):
    """The image has no valid signature, or the key is invalid."""


def load_key(pem: str) -> EllipticCurvePublicKey:
    """The public key of the settings."""
    try:
        key = load_pem_public_key(pem.strip().encode())
    except ValueError:
        raise SignatureError("honeydue:cosignPublicKey is not a valid public key: set it to cosign.pub") from None
    if not isinstance(key, EllipticCurvePublicKey):
        raise SignatureError("honeydue:cosignPublicKey is not an ECDSA key, as `cosign generate-key-pair` creates it")
    return key


def verify(registry: Registry, name: str, digest: str, key: EllipticCurvePublicKey) -> None:
    """Raise a SignatureError unless our key signed this digest. Raises a RegistryError, too."""
    # An invalid signature next to a valid one does no harm: another key may also have signed the image.
    results = [*_bundles(registry, name, digest, key), *_simple_signatures(registry, name, digest, key)]
    if not results:
        raise SignatureError("is not signed: cosign sign")
    if not any(results):
        raise SignatureError(
            f"has {len(results)} signature{'s' if len(results) > 1 else ''}, but none by the key "
            "honeydue:cosignPublicKey for this digest"
        )


def _bundles(registry: Registry, name: str, digest: str, key: EllipticCurvePublicKey) -> Iterator[bool]:
    """For each bundle with a signature of an image, whether it is valid."""
    for descriptor in registry.referrers(name, digest):
        manifest = registry.manifest(name, str(descriptor["digest"]))
        for layer in manifest.get("layers") or ():
            if str(layer.get("mediaType", "")).startswith(BUNDLE_TYPE):
                envelope = _envelope(registry.blob(name, layer["digest"]))
                if envelope is not None:
                    yield _signs(envelope, digest, key)


def _envelope(bundle: bytes) -> Document | None:
    """The DSSE envelope of a bundle. None if it contains another statement than the signature of an image."""
    try:
        envelope: Document = json.loads(bundle)["dsseEnvelope"]
        statement = json.loads(b64decode(envelope["payload"]))
        is_signature = (
            envelope["payloadType"] == PAYLOAD_TYPE
            and str(statement["_type"]).startswith(STATEMENT_TYPE)
            and statement["predicateType"] == SIGNATURE_PREDICATE
        )
    except (ValueError, KeyError, TypeError):
        return None
    return envelope if is_signature else None


def _signs(envelope: Document, digest: str, key: EllipticCurvePublicKey) -> bool:
    """Whether a signature of the envelope is ours, and whether its statement is about this digest.

    What is signed: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
    """
    payload = b64decode(envelope["payload"])
    kind = PAYLOAD_TYPE.encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    try:
        subjects = {subject["digest"].get("sha256") for subject in json.loads(payload)["subject"]}
        signatures = [str(signature["sig"]) for signature in envelope["signatures"]]
    except (KeyError, TypeError, AttributeError):
        return False
    return digest.removeprefix("sha256:") in subjects and any(_valid(key, item, signed) for item in signatures)


def _simple_signatures(registry: Registry, name: str, digest: str, key: EllipticCurvePublicKey) -> Iterator[bool]:
    """For each signature in the tag of the older format, whether it is valid."""
    try:
        manifest = registry.manifest(name, f"{digest.replace(':', '-')}.sig")
    except NotFoundError:
        return
    for layer in manifest.get("layers") or ():
        if layer.get("mediaType") == SIMPLE_SIGNING_TYPE:
            payload = registry.blob(name, layer["digest"])
            signature = str((layer.get("annotations") or {}).get(SIGNATURE_ANNOTATION, ""))
            yield _valid(key, signature, payload) and _names(payload, digest)


def _names(payload: bytes, digest: str) -> bool:
    try:
        critical = json.loads(payload)["critical"]
        return bool(critical["type"] == SIMPLE_SIGNING and critical["image"]["docker-manifest-digest"] == digest)
    except (ValueError, KeyError, TypeError):
        return False


def _valid(key: EllipticCurvePublicKey, signature: str, signed: bytes) -> bool:
    try:
        key.verify(b64decode(signature), signed, ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True
