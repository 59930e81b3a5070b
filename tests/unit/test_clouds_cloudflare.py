"""The simulated Cloudflare: records, settings, certificates that verify, and what its API refuses."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rehearsal.clouds.account import IpRanges
from rehearsal.clouds.existing import provision, state
from tests.unit.clouds_client import UNKNOWN_MARK, ZONE, ZONE_ID, Engine, Inputs, ProviderError, Thing, account, secret

RECORD = "cloudflare:index/dnsRecord:DnsRecord"
SETTING = "cloudflare:index/zoneSetting:ZoneSetting"
ORIGIN = "cloudflare:index/originCaCertificate:OriginCaCertificate"
PULLS_CERTIFICATE = "cloudflare:index/authenticatedOriginPullsCertificate:AuthenticatedOriginPullsCertificate"
PULLS_SETTINGS = "cloudflare:index/authenticatedOriginPullsSettings:AuthenticatedOriginPullsSettings"
RULESET = "cloudflare:index/ruleset:Ruleset"

API = {"zoneId": ZONE_ID, "name": f"api.{ZONE}", "type": "A", "ttl": 1, "proxied": True, "content": "178.104.247.152"}
RANGES = "cloudflare:index/getIpRanges:getIpRanges"
GET_ZONE = "cloudflare:index/getZone:getZone"


@pytest.fixture
def cloudflare(tmp_path: Path) -> Engine:
    account(tmp_path)
    return Engine("cloudflare", tmp_path)


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def a_request(key: ec.EllipticCurvePrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, ZONE)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def an_origin(key: ec.EllipticCurvePrivateKey, **more: Any) -> Inputs:
    names = [f"*.{ZONE}", ZONE]
    return {"csr": a_request(key), "hostnames": names, "requestType": "origin-ecc", "requestedValidity": 5475, **more}


def test_a_record_lives(cloudflare: Engine) -> None:
    record = cloudflare.create(RECORD, API)
    assert len(record.id) == 32
    assert record.outputs["proxiable"] is True
    assert cloudflare.read(record) == record
    moved = cloudflare.update(record, {**API, "content": "178.105.32.198"})
    assert moved.outputs["content"] == "178.105.32.198"
    imported = cloudflare.import_(RECORD, f"{ZONE_ID}/{record.id}")
    assert imported is not None
    assert imported.id == record.id
    assert imported.inputs == moved.inputs
    cloudflare.delete(moved)
    assert cloudflare.read(moved) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"content": "nope"}, "must be a valid IPv4 address"),
        ({"type": "AAAA"}, "must be a valid IPv6 address"),
        ({"name": "api.example.com"}, f"not in zone {ZONE}"),
        ({"zoneId": "0" * 32}, "Could not route to"),
        ({"zoneId": None}, "missing required zone_id"),
        ({"proxied": False, "ttl": 5}, "Invalid TTL"),
        ({"type": "TXT", "content": "x"}, "cannot be proxied"),
    ],
)
def test_the_api_refuses_a_record(cloudflare: Engine, change: Inputs, words: str) -> None:
    with pytest.raises(ProviderError, match=words):
        cloudflare.create(RECORD, {**API, **change})
    assert cloudflare.create(RECORD, API).id


def test_an_identical_record_is_refused_and_another_address_of_the_name_is_not(cloudflare: Engine) -> None:
    cloudflare.create(RECORD, API)
    with pytest.raises(ProviderError, match="81058"):
        cloudflare.create(RECORD, API)
    assert cloudflare.create(RECORD, {**API, "content": "178.105.32.198"}).id
    with pytest.raises(ProviderError, match="81053"):
        cloudflare.create(RECORD, {**API, "type": "CNAME", "content": "x.example"})


def test_the_apex_has_two_names(cloudflare: Engine) -> None:
    cloudflare.create(RECORD, {**API, "name": "@"})
    with pytest.raises(ProviderError, match="81058"):
        cloudflare.create(RECORD, {**API, "name": ZONE})


def test_a_proxied_record_has_an_automatic_ttl(cloudflare: Engine) -> None:
    assert "ttl must be set to 1" in cloudflare.reasons(RECORD, {**API, "ttl": 300})[0]
    assert cloudflare.reasons(RECORD, {**API, "ttl": UNKNOWN_MARK}) == []


def test_a_setting_survives_its_resource(cloudflare: Engine, tmp_path: Path) -> None:
    inputs = {"zoneId": ZONE_ID, "settingId": "ssl", "value": "strict"}
    setting = cloudflare.create(SETTING, inputs)
    assert setting.id == "ssl"
    cloudflare.delete(setting)
    assert state(tmp_path, "cloudflare").of(SETTING)[f"{ZONE_ID}/ssl"]["value"] == "strict"


@pytest.mark.parametrize("change", [{"settingId": "sssl"}, {"value": "stricter"}])
def test_an_unknown_setting_is_refused(cloudflare: Engine, change: Inputs) -> None:
    with pytest.raises(ProviderError, match="PATCH"):
        cloudflare.create(SETTING, {"zoneId": ZONE_ID, "settingId": "ssl", "value": "strict", **change})


def test_a_setting_nobody_made_can_be_imported(cloudflare: Engine) -> None:
    found = cloudflare.import_(SETTING, f"{ZONE_ID}/min_tls_version")
    assert found is not None
    assert (found.id, found.inputs["value"]) == ("min_tls_version", "1.0")


def test_an_origin_certificate_verifies(cloudflare: Engine, tmp_path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    made = cloudflare.create(ORIGIN, an_origin(key))
    certificate = x509.load_pem_x509_certificate(made.outputs["certificate"].encode())
    authority = x509.load_pem_x509_certificate(
        state(tmp_path, "cloudflare").internal["origin_ca"]["certificate"].encode()
    )
    certificate.verify_directly_issued_by(authority)
    assert certificate.public_key() == key.public_key()
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=5475)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [f"*.{ZONE}", ZONE]
    assert made.outputs["expiresOn"] == certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert cloudflare.read(made) == made


@pytest.mark.parametrize(
    ("change", "words"),
    [({"csr": "hello"}, "cannot be parsed"), ({"hostnames": ["example.com"]}, "not part of your account")],
)
def test_an_origin_certificate_is_refused(
    cloudflare: Engine, key: ec.EllipticCurvePrivateKey, change: Inputs, words: str
) -> None:
    with pytest.raises(ProviderError, match=words):
        cloudflare.create(ORIGIN, an_origin(key, **change))


def test_leaving_the_default_validity_out_is_no_change(cloudflare: Engine, key: ec.EllipticCurvePrivateKey) -> None:
    inputs = an_origin(key)
    without = {name: value for name, value in inputs.items() if name != "requestedValidity"}
    assert not cloudflare.diff(ORIGIN, inputs, without).diffs


def _pulls(key: ec.EllipticCurvePrivateKey, certificate: str) -> Inputs:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return {"zoneId": ZONE_ID, "certificate": certificate, "privateKey": secret(pem)}


def test_the_key_of_origin_pulls_is_kept_from_everybody(
    cloudflare: Engine, tmp_path: Path, key: ec.EllipticCurvePrivateKey
) -> None:
    certificate = cloudflare.create(ORIGIN, an_origin(key)).outputs["certificate"]
    inputs = _pulls(key, certificate)
    made = cloudflare.create(PULLS_CERTIFICATE, inputs)
    assert made.outputs["privateKey"] == inputs["privateKey"]
    assert made.outputs["status"] == "active"
    assert cloudflare.read(made) == made
    kept = json.loads((tmp_path / "cloudflare.json").read_text())["resources"]
    assert "PRIVATE KEY" not in json.dumps(kept)
    other = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(ProviderError, match="is not the key of the certificate") as refused:
        cloudflare.create(PULLS_CERTIFICATE, _pulls(other, certificate))
    assert "PRIVATE KEY" not in str(refused.value)


def test_the_key_of_origin_pulls_is_secret_even_if_given_in_the_open(cloudflare: Engine) -> None:
    seen = cloudflare.preview(PULLS_CERTIFICATE, {"zoneId": ZONE_ID, "certificate": "A", "privateKey": "B"})
    assert seen["privateKey"] == secret("B")
    assert seen["certificateId"] == UNKNOWN_MARK


def test_rules_of_one_phase_are_one_ruleset(cloudflare: Engine) -> None:
    inputs = {"zoneId": ZONE_ID, "name": "cache", "kind": "zone", "phase": "http_request_cache_settings", "rules": []}
    ruleset = cloudflare.create(RULESET, inputs)
    with pytest.raises(ProviderError, match="20217"):
        cloudflare.create(RULESET, inputs)
    imported = cloudflare.import_(RULESET, f"zones/{ZONE_ID}/{ruleset.id}")
    assert imported is not None
    assert imported.id == ruleset.id


def test_pulls_settings_stay(cloudflare: Engine, tmp_path: Path) -> None:
    settings = cloudflare.create(PULLS_SETTINGS, {"zoneId": ZONE_ID, "enabled": True})
    cloudflare.delete(settings)
    assert state(tmp_path, "cloudflare").of(PULLS_SETTINGS)[ZONE_ID]["enabled"] is True


def test_cloudflare_has_published_22_ranges(cloudflare: Engine) -> None:
    answer = cloudflare.invoke(RANGES, {})
    assert (len(answer["ipv4Cidrs"]), len(answer["ipv6Cidrs"])) == (15, 7)


def test_the_world_may_change_or_empty_the_ranges(cloudflare: Engine, tmp_path: Path) -> None:
    account(tmp_path, ranges=IpRanges(["198.51.100.0/24"], []))
    assert cloudflare.invoke(RANGES, {})["ipv4Cidrs"] == ["198.51.100.0/24"]
    account(tmp_path, ranges=IpRanges([], []))
    answer = cloudflare.invoke(RANGES, {})
    assert answer["ipv4Cidrs"] == answer["ipv6Cidrs"] == []


def test_a_zone_is_found_by_name_and_by_id(cloudflare: Engine) -> None:
    assert cloudflare.invoke(GET_ZONE, {"filter": {"name": ZONE, "match": "all"}})["zoneId"] == ZONE_ID
    assert cloudflare.invoke(GET_ZONE, {"zoneId": ZONE_ID})["name"] == ZONE
    with pytest.raises(ProviderError, match=f"found no zone example.com in the account; its zones are: {ZONE}"):
        cloudflare.invoke(GET_ZONE, {"filter": {"name": "example.com"}})


def test_an_unknown_function_is_refused_by_name(cloudflare: Engine) -> None:
    with pytest.raises(ProviderError, match="getWaitingRooms"):
        cloudflare.invoke("cloudflare:index/getWaitingRooms:getWaitingRooms", {})


def test_what_exists_can_be_adopted(cloudflare: Engine, tmp_path: Path) -> None:
    id_ = provision(tmp_path, RECORD, API)
    found = cloudflare.import_(RECORD, f"{ZONE_ID}/{id_}")
    assert found is not None
    assert not cloudflare.diff(RECORD, found.inputs, API).diffs


@pytest.mark.parametrize(
    ("type_", "inputs", "words"),
    [
        (RECORD, {**API, "type": "a"}, None),
        (RECORD, {**API, "priority": 70000}, "priority"),
        (RECORD, {**API, "ttl": "soon"}, "Expected a Number"),
        (RECORD, {**API, "content": ["1.2.3.4"]}, "Expected a String"),
        (RECORD, {**API, "tags": "one"}, "Expected an Array"),
        (
            RULESET,
            {"zoneId": ZONE_ID, "name": "c", "kind": "zoned", "phase": "http_ratelimit"},
            'one of: ["managed" "custom" "root" "zone"]',
        ),
        (
            "cloudflare:index/workersScript:WorkersScript",
            {},
            "does not simulate 'cloudflare:index/workersScript:WorkersScript'",
        ),
    ],
)
def test_the_plugin_refuses(cloudflare: Engine, type_: str, inputs: Inputs, words: str | None) -> None:
    reasons = cloudflare.reasons(type_, inputs)
    assert len(reasons) == (0 if words is None else 1)
    assert words is None or words in reasons[0]


def test_a_deleted_record_is_deleted_again_without_complaint(cloudflare: Engine) -> None:
    cloudflare.delete(Thing(RECORD, "0" * 32, API, API))
