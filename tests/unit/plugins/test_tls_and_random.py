"""The simulated tls and random plugins: keys, certificates and passwords."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bcrypt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.verification import PolicyBuilder, Store

from tests.unit.plugins.engine import SECRET_SIGNATURE, UNKNOWN_MARK, Engine, Inputs, ProviderError

KEY = "tls:index/privateKey:PrivateKey"
REQUEST = "tls:index/certRequest:CertRequest"
SELF_SIGNED = "tls:index/selfSignedCert:SelfSignedCert"
LOCALLY_SIGNED = "tls:index/locallySignedCert:LocallySignedCert"
PASSWORD = "random:index/randomPassword:RandomPassword"


@pytest.fixture
def tls(tmp_path: Path) -> Engine:
    return Engine("tls", tmp_path)


@pytest.fixture
def random(tmp_path: Path) -> Engine:
    return Engine("random", tmp_path)


def unwrapped(value: Any) -> str:
    assert value[SECRET_SIGNATURE]
    return str(value["value"])


def test_private_and_public_key_match(tls: Engine) -> None:
    curves: list[Inputs] = [{"algorithm": "ECDSA", "ecdsaCurve": curve} for curve in ("P224", "P256", "P384", "P521")]
    others: list[Inputs] = [{"algorithm": "ED25519"}, {"algorithm": "RSA", "rsaBits": 1024}]
    for inputs in [*curves, *others]:
        created = tls.create(KEY, inputs).outputs
        public = serialization.load_pem_public_key(created["publicKeyPem"].encode())
        for name in ("privateKeyPem", "privateKeyPemPkcs8"):
            private = serialization.load_pem_private_key(unwrapped(created[name]).encode(), password=None)
            assert private.public_key() == public
        if inputs.get("ecdsaCurve") != "P224":
            assert serialization.load_ssh_public_key(created["publicKeyOpenssh"].encode()) == public
            assert created["publicKeyFingerprintSha256"].startswith("SHA256:")


def test_another_algorithm_replaces_the_key(tls: Engine) -> None:
    key = tls.create(KEY, {"algorithm": "RSA"})
    assert list(tls.diff(key, {"algorithm": "ED25519"}).replaces) == ["algorithm"]
    assert not tls.diff(key, {"algorithm": "RSA", "rsaBits": 2048}).diffs
    assert len(tls.reasons(KEY, {"algorithm": "DSA"})) == 1
    assert len(tls.reasons(KEY, {"algorithm": "ECDSA", "ecdsaCurve": "P255"})) == 1


def test_a_certificate_chain_verifies(tls: Engine) -> None:
    key = tls.create(KEY, {"algorithm": "ECDSA", "ecdsaCurve": "P256"}).outputs
    pem = key["privateKeyPem"]
    subject = {"commonName": "rehearsal", "organization": "honeyDue"}
    authority = tls.create(
        SELF_SIGNED,
        {
            "privateKeyPem": pem,
            "allowedUses": ["cert_signing", "crl_signing"],
            "validityPeriodHours": 24,
            "isCaCertificate": True,
            "subject": subject,
            "setAuthorityKeyId": True,
        },
    )
    request = tls.create(
        REQUEST, {"privateKeyPem": pem, "subject": subject, "dnsNames": ["a.example"], "ipAddresses": ["192.0.2.1"]}
    )
    leaf = tls.create(
        LOCALLY_SIGNED,
        {
            "caCertPem": authority.outputs["certPem"],
            "caPrivateKeyPem": pem,
            "certRequestPem": request.outputs["certRequestPem"],
            "allowedUses": ["server_auth", "digital_signature"],
            "validityPeriodHours": 12,
        },
    )
    store = Store([x509.load_pem_x509_certificate(authority.outputs["certPem"].encode())])
    certificate = x509.load_pem_x509_certificate(leaf.outputs["certPem"].encode())
    verifier = PolicyBuilder().store(store).build_server_verifier(x509.DNSName("a.example"))
    assert verifier.verify(certificate, [])[0] == certificate
    assert leaf.outputs["caKeyAlgorithm"] == request.outputs["keyAlgorithm"] == "ECDSA"
    assert unwrapped(leaf.outputs["caPrivateKeyPem"]) == unwrapped(pem)


def test_the_error_does_not_contain_an_invalid_key(tls: Engine) -> None:
    with pytest.raises(ProviderError, match="Failed to parse the private key") as raised:
        tls.create(REQUEST, {"privateKeyPem": "hunter2 hunter2"})
    assert "hunter2" not in str(raised.value)


def test_a_key_is_read_from_the_state_and_cannot_be_imported(tls: Engine) -> None:
    key = tls.create(KEY, {"algorithm": "ED25519"})
    assert tls.read(key) == key
    with pytest.raises(ProviderError, match="cannot be imported"):
        tls.import_(KEY, key.id)


def test_a_password_follows_its_inputs_and_is_secret(random: Engine) -> None:
    inputs = {"length": 24, "special": False, "minNumeric": 5}
    created = random.create(PASSWORD, inputs)
    result = unwrapped(created.outputs["result"])
    assert len(result) == 24
    assert result.isalnum()
    assert sum(letter.isdigit() for letter in result) >= 5
    assert bcrypt.checkpw(result.encode(), unwrapped(created.outputs["bcryptHash"]).encode())
    assert result != created.id
    assert result != unwrapped(random.create(PASSWORD, inputs).outputs["result"])
    assert random.read(created) == created
    assert random.preview(PASSWORD, inputs)["result"] == {
        SECRET_SIGNATURE: created.outputs["result"][SECRET_SIGNATURE],
        "value": UNKNOWN_MARK,
    }


def test_changed_keepers_replace_the_password(random: Engine) -> None:
    password = random.create(PASSWORD, {"length": 8, "keepers": {"version": "1"}})
    diff = random.diff(password, {**password.inputs, "keepers": {"version": "2"}})
    assert list(diff.replaces) == ["keepers"]
    assert not diff.hasDetailedDiff
    assert "length" in random.reasons(PASSWORD, {"length": 3, "minUpper": 4})[0]
