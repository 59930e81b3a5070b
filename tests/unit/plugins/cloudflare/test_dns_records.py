"""DNS records of the simulated cloudflare plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.clouds.api import ZONE, ZONE_ID, Api, edit
from tests.unit.plugins.cloudflare.resources import INPUTS, RECORD
from tests.unit.plugins.engine import UNKNOWN_MARK, Engine, Inputs, ProviderError


def test_a_record_is_created_changed_imported_and_deleted(cloudflare: Engine) -> None:
    record = cloudflare.create(RECORD, INPUTS)
    assert len(record.id) == 32
    assert record.outputs["proxiable"] is True
    assert cloudflare.read(record) == record
    moved = cloudflare.update(record, {**INPUTS, "content": "178.105.32.198"})
    assert moved.outputs["content"] == "178.105.32.198"
    imported = cloudflare.import_(RECORD, f"{ZONE_ID}/{record.id}")
    assert imported is not None
    assert imported.id == record.id
    assert imported.inputs == moved.inputs
    cloudflare.delete(moved)
    assert cloudflare.read(moved) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"content": "nope"}, "must be a valid IPv4 address"),
        ({"type": "AAAA"}, "must be a valid IPv6 address"),
        ({"zoneId": "0" * 32}, r"404 Not Found .*\"code\":7003"),
        ({"zoneId": None}, "missing required zone_id"),
        ({"ttl": 300}, "ttl must be set to 1 when `proxied` is true"),
        ({"proxied": False, "ttl": 5}, "Invalid TTL"),
        ({"type": "TXT", "content": "x"}, "cannot be proxied"),
    ],
)
def test_an_invalid_record_is_refused(cloudflare: Engine, change: Inputs, message: str) -> None:
    with pytest.raises(ProviderError, match=message):
        cloudflare.create(RECORD, {**INPUTS, **change})
    assert cloudflare.create(RECORD, INPUTS).id


def test_only_an_identical_record_of_the_same_name_is_refused(cloudflare: Engine) -> None:
    cloudflare.create(RECORD, INPUTS)
    with pytest.raises(ProviderError, match="81058"):
        cloudflare.create(RECORD, INPUTS)
    assert cloudflare.create(RECORD, {**INPUTS, "content": "178.105.32.198"}).id
    with pytest.raises(ProviderError, match="81053"):
        cloudflare.create(RECORD, {**INPUTS, "type": "CNAME", "content": "x.example"})


def test_the_apex_can_be_written_as_at_sign_or_domain(cloudflare: Engine) -> None:
    cloudflare.create(RECORD, {**INPUTS, "name": "@"})
    with pytest.raises(ProviderError, match="81058"):
        cloudflare.create(RECORD, {**INPUTS, "name": ZONE})


def test_check_accepts_any_ttl_of_a_proxied_record(cloudflare: Engine) -> None:
    assert cloudflare.reasons(RECORD, {**INPUTS, "ttl": 300}) == []
    assert cloudflare.reasons(RECORD, {**INPUTS, "ttl": UNKNOWN_MARK}) == []


@pytest.mark.parametrize(
    ("written", "full"), [("@", ZONE), ("api", f"api.{ZONE}"), ("api.example.com", f"api.example.com.{ZONE}")]
)
def test_a_refresh_preserves_the_name_of_the_program(cloudflare: Engine, written: str, full: str) -> None:
    record = cloudflare.create(RECORD, {**INPUTS, "name": written})
    assert cloudflare.read(record) == record
    imported = cloudflare.import_(RECORD, f"{ZONE_ID}/{record.id}")
    assert imported is not None
    assert imported.inputs["name"] == full


def test_a_manual_change_of_a_record_is_reverted(cloudflare: Engine, tmp_path: Path) -> None:
    record = cloudflare.create(RECORD, INPUTS)
    edit(tmp_path, "cloudflare", "dns_records", record.id, lambda resource: resource.update(proxied=False))
    drifted = cloudflare.read(record)
    assert drifted is not None
    assert drifted.inputs == {**record.inputs, "proxied": False}
    assert list(cloudflare.diff(drifted, INPUTS).diffs) == ["modifiedOn", "proxied"]
    cloudflare.update(drifted, INPUTS)
    record_now = cloudflare.read(record)
    assert record_now is not None
    assert record_now.outputs["proxied"] is True


def test_an_existing_record_is_imported_without_changes(cloudflare: Engine, tmp_path: Path) -> None:
    body = {name: value for name, value in INPUTS.items() if name != "zoneId"}
    created = Api("cloudflare", tmp_path)("POST", f"/zones/{ZONE_ID}/dns_records", body)
    imported = cloudflare.import_(RECORD, f"{ZONE_ID}/{created.json['result']['id']}")
    assert imported is not None
    assert not cloudflare.diff(imported, INPUTS).diffs


def test_a_deleted_record_cannot_be_deleted_again(cloudflare: Engine) -> None:
    record = cloudflare.create(RECORD, INPUTS)
    cloudflare.delete(record)
    with pytest.raises(ProviderError, match=r'404 Not Found .*"code":81044,"message":"Record does not exist."'):
        cloudflare.delete(record)
