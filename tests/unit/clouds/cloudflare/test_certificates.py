"""The simulated Cloudflare API: Origin CA certificates and Authenticated Origin Pulls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.clouds.api import ZONE, ZONE_ID, Api, edit, state
from tests.unit.clouds.cloudflare.requests import CLIENT_CERTIFICATES, error, result


def request_pem(key: ec.EllipticCurvePrivateKey) -> str:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def certificate_pem(key: ec.EllipticCurvePrivateKey, *, authority: bool = False) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, ZONE)])
    start = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start)
    builder = builder.not_valid_after(start + timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def origin(key: ec.EllipticCurvePrivateKey, **changes: Any) -> dict[str, Any]:
    inputs = {"csr": request_pem(key), "hostnames": [f"*.{ZONE}", ZONE], "request_type": "origin-ecc"}
    return {**inputs, "requested_validity": 5475, **changes}


def test_an_origin_certificate_has_at_most_200_hostnames(api: Api, key: ec.EllipticCurvePrivateKey) -> None:
    hostnames = [f"host-{number}.{ZONE}" for number in range(201)]
    assert error(api("POST", "/certificates", origin(key, hostnames=hostnames))) == (400, 1010)
    assert result(api("POST", "/certificates", origin(key, hostnames=hostnames[:200])))["hostnames"] == hostnames[:200]


def test_origin_certificates_are_signed_by_the_same_authority(
    api: Api, tmp_path: Path, key: ec.EllipticCurvePrivateKey
) -> None:
    created = result(api("POST", "/certificates", origin(key)))
    certificate = x509.load_pem_x509_certificate(created["certificate"].encode())
    private = state(tmp_path, "cloudflare").private["origin_ca"]
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(private["certificate"].encode()))
    assert certificate.public_key() == key.public_key()
    assert created["id"] == str(certificate.serial_number)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=5475)
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternative.get_values_for_type(x509.DNSName) == [f"*.{ZONE}", ZONE]
    assert created["expires_on"] == certificate.not_valid_after_utc.strftime("%Y-%m-%d %H:%M:00 +0000 UTC")
    assert result(api("GET", f"/certificates/{created['id']}")) == created
    assert [certificate["id"] for certificate in result(api("GET", f"/certificates?zone_id={ZONE_ID}"))] == [
        created["id"]
    ]
    second = result(api("POST", "/certificates", origin(key, requested_validity=7)))
    assert second["id"] != created["id"]
    assert state(tmp_path, "cloudflare").private["origin_ca"] == private
    revoked = result(api("DELETE", f"/certificates/{created['id']}"))
    assert revoked["id"] == created["id"]
    assert error(api("GET", f"/certificates/{created['id']}")) == (404, 1101)
    assert error(api("DELETE", f"/certificates/{created['id']}")) == (404, 1101)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"csr": "hello"}, 1006),
        ({"hostnames": ["example.com"]}, 1010),
        ({"hostnames": [f"*.*.{ZONE}"]}, 1010),
        ({"hostnames": []}, 1010),
        ({"request_type": "origin-dsa"}, 1004),
        ({"requested_validity": 15}, 1005),
    ],
)
def test_an_invalid_origin_certificate_is_refused(
    api: Api, key: ec.EllipticCurvePrivateKey, change: dict[str, Any], expected: int
) -> None:
    assert error(api("POST", "/certificates", origin(key, **change))) == (400, expected)


def test_listing_origin_certificates_requires_a_zone(api: Api) -> None:
    assert error(api("GET", "/certificates")) == (400, 1012)


def test_a_client_certificate_is_deployed_and_deleted_with_a_delay(
    api: Api, tmp_path: Path, key: ec.EllipticCurvePrivateKey
) -> None:
    inputs = {"certificate": certificate_pem(key), "private_key": key_pem(key)}
    uploaded = result(api("POST", CLIENT_CERTIFICATES, inputs))
    path = f"{CLIENT_CERTIFICATES}/{uploaded['id']}"
    assert uploaded["status"] == "pending_deployment"
    assert "private_key" not in uploaded
    assert "PRIVATE KEY" not in (tmp_path / "cloudflare.json").read_text()
    assert error(api("POST", CLIENT_CERTIFICATES, inputs)) == (400, 1406)
    past = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    edit(
        tmp_path,
        "cloudflare",
        "origin_tls_client_auth",
        uploaded["id"],
        lambda resource: resource.update(uploaded_on=past),
    )
    assert result(api("GET", path)) == {**uploaded, "uploaded_on": past, "status": "active"}
    assert [certificate["status"] for certificate in result(api("GET", CLIENT_CERTIFICATES))] == ["active"]
    assert result(api("DELETE", path))["status"] == "pending_deletion"
    assert result(api("GET", path))["status"] == "pending_deletion"
    edit(
        tmp_path,
        "cloudflare",
        "origin_tls_client_auth",
        uploaded["id"],
        lambda resource: resource.update(deleted_on=past),
    )
    assert error(api("GET", path)) == (404, 1551)
    assert result(api("GET", CLIENT_CERTIFICATES)) == []
    assert result(api("POST", CLIENT_CERTIFICATES, inputs))["id"] != uploaded["id"]


def test_an_invalid_client_certificate_is_refused(api: Api, key: ec.EllipticCurvePrivateKey) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    mismatch = api("POST", CLIENT_CERTIFICATES, {"certificate": certificate_pem(key), "private_key": key_pem(other)})
    assert error(mismatch) == (400, 2200)
    assert "PRIVATE KEY" not in str(mismatch.json)
    broken = {"certificate": "A", "private_key": key_pem(key)}
    assert error(api("POST", CLIENT_CERTIFICATES, broken)) == (400, 2200)
    authority = {"certificate": certificate_pem(key, authority=True), "private_key": key_pem(key)}
    assert error(api("POST", CLIENT_CERTIFICATES, authority)) == (400, 1412)


def test_origin_pulls_are_off_in_a_new_zone(api: Api) -> None:
    path = f"{CLIENT_CERTIFICATES}/settings"
    assert result(api("GET", path)) == {"enabled": False}
    assert result(api("PUT", path, {"enabled": True})) == {"enabled": True}
    assert error(api("PUT", path, {"enabled": "yes"})) == (400, 1400)
    assert result(api("GET", path)) == {"enabled": True}
