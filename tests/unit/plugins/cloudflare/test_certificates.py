"""Origin CA certificates and Authenticated Origin Pulls of the simulated cloudflare plugin."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.clouds.api import ZONE, ZONE_ID, edit, state
from tests.unit.plugins.engine import UNKNOWN_MARK, Engine, Inputs, ProviderError, Resource, secret

ORIGIN = "cloudflare:index/originCaCertificate:OriginCaCertificate"
PULLS_CERTIFICATE = "cloudflare:index/authenticatedOriginPullsCertificate:AuthenticatedOriginPullsCertificate"
PULLS_SETTINGS = "cloudflare:index/authenticatedOriginPullsSettings:AuthenticatedOriginPullsSettings"
LONG_AGO = "2026-01-01T00:00:00.000000Z"


def signing_request(key: ec.EllipticCurvePrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, ZONE)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def origin_inputs(key: ec.EllipticCurvePrivateKey, **options: Any) -> Inputs:
    names = [f"*.{ZONE}", ZONE]
    return {
        "csr": signing_request(key),
        "hostnames": names,
        "requestType": "origin-ecc",
        "requestedValidity": 5475,
        **options,
    }


def test_an_origin_certificate_is_signed_by_the_origin_ca(
    cloudflare: Engine, tmp_path: Path, key: ec.EllipticCurvePrivateKey
) -> None:
    created = cloudflare.create(ORIGIN, origin_inputs(key))
    certificate = x509.load_pem_x509_certificate(created.outputs["certificate"].encode())
    authority = x509.load_pem_x509_certificate(
        state(tmp_path, "cloudflare").private["origin_ca"]["certificate"].encode()
    )
    certificate.verify_directly_issued_by(authority)
    assert certificate.public_key() == key.public_key()
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=5475)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [f"*.{ZONE}", ZONE]
    assert created.outputs["expiresOn"] == certificate.not_valid_after_utc.strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
    assert cloudflare.read(created) == created


@pytest.mark.parametrize(
    ("change", "message"),
    [({"csr": "hello"}, "cannot be parsed"), ({"hostnames": ["example.com"]}, "not part of your account")],
)
def test_an_invalid_origin_certificate_is_refused(
    cloudflare: Engine, key: ec.EllipticCurvePrivateKey, change: Inputs, message: str
) -> None:
    with pytest.raises(ProviderError, match=message):
        cloudflare.create(ORIGIN, origin_inputs(key, **change))


def test_omitting_the_default_validity_is_no_change(cloudflare: Engine, key: ec.EllipticCurvePrivateKey) -> None:
    inputs = origin_inputs(key)
    without = {name: value for name, value in inputs.items() if name != "requestedValidity"}
    assert not cloudflare.diff(cloudflare.create(ORIGIN, inputs), without).diffs


def client_certificate_inputs(key: ec.EllipticCurvePrivateKey, certificate: str) -> Inputs:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return {"zoneId": ZONE_ID, "certificate": certificate, "privateKey": secret(pem)}


def test_the_private_key_is_neither_stored_nor_returned(
    cloudflare: Engine, tmp_path: Path, key: ec.EllipticCurvePrivateKey
) -> None:
    certificate = cloudflare.create(ORIGIN, origin_inputs(key)).outputs["certificate"]
    inputs = client_certificate_inputs(key, certificate)
    created = cloudflare.create(PULLS_CERTIFICATE, inputs)
    assert created.outputs["privateKey"] == inputs["privateKey"]
    assert created.outputs["status"] == "pending_deployment"
    edit(
        tmp_path,
        "cloudflare",
        "origin_tls_client_auth",
        created.id,
        lambda resource: resource.update(uploaded_on=LONG_AGO),
    )
    deployed = {**created.outputs, "status": "active", "uploadedOn": LONG_AGO}
    assert cloudflare.read(created) == Resource(created.type, created.id, created.inputs, deployed)
    assert "PRIVATE KEY" not in json.dumps(state(tmp_path, "cloudflare").collections)
    other = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(ProviderError, match="The certificate and private key pair you uploaded is invalid") as raised:
        cloudflare.create(PULLS_CERTIFICATE, client_certificate_inputs(other, certificate))
    assert "PRIVATE KEY" not in str(raised.value)


def test_the_private_key_is_always_secret(cloudflare: Engine) -> None:
    preview = cloudflare.preview(PULLS_CERTIFICATE, {"zoneId": ZONE_ID, "certificate": "A", "privateKey": "B"})
    assert preview["privateKey"] == secret("B")
    assert preview["certificateId"] == UNKNOWN_MARK


def test_deleting_the_settings_resource_does_not_disable_origin_pulls(cloudflare: Engine, tmp_path: Path) -> None:
    settings = cloudflare.create(PULLS_SETTINGS, {"zoneId": ZONE_ID, "enabled": True})
    cloudflare.delete(settings)
    assert state(tmp_path, "cloudflare").of("origin_tls_client_auth_settings")[ZONE_ID]["enabled"] is True
