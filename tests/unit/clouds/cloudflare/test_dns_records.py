"""The simulated Cloudflare API: DNS records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rehearsal.clouds.store import Store
from tests.unit.clouds.api import ZONE, Api, state
from tests.unit.clouds.cloudflare.requests import ADDRESS, RECORD, RECORDS, error, result


def test_a_record_is_created_changed_and_deleted(api: Api) -> None:
    record = result(api("POST", RECORDS, RECORD))
    assert len(record["id"]) == 32
    assert record == {
        **RECORD,
        "id": record["id"],
        "proxiable": True,
        "settings": {},
        "meta": {},
        "comment": None,
        "tags": [],
        "created_on": record["created_on"],
        "modified_on": record["modified_on"],
    }
    path = f"{RECORDS}/{record['id']}"
    assert result(api("GET", path)) == record
    commented = result(api("PATCH", path, {"comment": "origin"}))
    assert (commented["content"], commented["comment"]) == (ADDRESS, "origin")
    assert commented["comment_modified_on"] == commented["modified_on"]
    moved = result(api("PATCH", path, {"content": "178.105.32.198"}))
    assert moved["comment_modified_on"] == commented["comment_modified_on"]
    plain = result(api("PUT", path, {"name": "www", "type": "A", "content": ADDRESS}))
    assert (plain["name"], plain["proxied"], plain["ttl"], plain["comment"]) == (f"www.{ZONE}", False, 1, None)
    assert plain["created_on"] == record["created_on"]
    assert "comment_modified_on" not in plain
    assert result(api("DELETE", path)) == {"id": record["id"]}
    for method in ("GET", "DELETE"):
        assert error(api(method, path)) == (404, 81044)
    assert error(api("PUT", path, RECORD)) == (404, 81044)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": f"{'a' * 64}.{ZONE}"}, 9000),
        ({"name": f"{'a.' * 120}{ZONE}"}, 9000),
        ({"name": f"a..{ZONE}"}, 9000),
        ({"content": "nope"}, 9005),
        ({"content": "2001:db8::1"}, 9005),
        ({"type": "AAAA"}, 9005),
        ({"type": "AA"}, 9005),
        ({"content": ""}, 9005),
        ({"proxied": False, "ttl": 5}, 9021),
        ({"proxied": False, "ttl": 86401}, 9021),
        ({"proxied": False, "ttl": "300"}, 9021),
        ({"type": "TXT", "content": "x"}, 9004),
        ({"type": "MX", "content": "mx.example", "proxied": False}, 9008),
        ({"tags": ["team:web"]}, 9300),
        ({"comment": "x" * 101}, 9301),
    ],
)
def test_an_invalid_record_is_refused(api: Api, tmp_path: Path, change: dict[str, Any], expected: int) -> None:
    assert error(api("POST", RECORDS, {**RECORD, **change})) == (400, expected)
    assert state(tmp_path, "cloudflare").of("dns_records") == {}
    result(api("POST", RECORDS, RECORD))
    record = result(api("POST", RECORDS, {**RECORD, "content": "178.105.32.198"}))
    assert error(api("PATCH", f"{RECORDS}/{record['id']}", change)) == (400, expected)
    assert result(api("GET", f"{RECORDS}/{record['id']}")) == record


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("@", ZONE),
        (ZONE, ZONE),
        ("api", f"api.{ZONE}"),
        (f"API.{ZONE}.", f"api.{ZONE}"),
        ("api.example.com", f"api.example.com.{ZONE}"),
    ],
)
def test_a_name_is_completed_with_the_zone(api: Api, name: str, full: str) -> None:
    assert result(api("POST", RECORDS, {**RECORD, "name": name}))["name"] == full
    assert error(api("POST", RECORDS, {**RECORD, "name": full})) == (400, 81058)


def test_a_name_has_several_addresses_or_a_single_cname(api: Api) -> None:
    result(api("POST", RECORDS, RECORD))
    assert error(api("POST", RECORDS, {**RECORD, "ttl": 300, "proxied": False})) == (400, 81058)
    second = result(api("POST", RECORDS, {**RECORD, "content": "178.105.32.198"}))
    assert error(api("PATCH", f"{RECORDS}/{second['id']}", {"content": ADDRESS})) == (400, 81058)
    alias = {**RECORD, "type": "CNAME", "content": "X.example."}
    assert error(api("POST", RECORDS, alias)) == (400, 81053)
    assert result(api("POST", RECORDS, {**alias, "name": "www"}))["content"] == "x.example"
    assert error(api("POST", RECORDS, {**RECORD, "name": "www"})) == (400, 81054)
    text = {"name": f"api.{ZONE}", "type": "TXT", "content": "v=spf1 -all", "ttl": 1}
    assert result(api("POST", RECORDS, text))["proxiable"] is False


def test_a_proxied_record_has_the_automatic_ttl(api: Api) -> None:
    assert result(api("POST", RECORDS, {**RECORD, "ttl": 300}))["ttl"] == 1
    assert result(api("POST", RECORDS, {**RECORD, "name": "www", "ttl": 300, "proxied": False}))["ttl"] == 300


def test_a_zone_of_the_free_plan_has_at_most_200_records(api: Api, tmp_path: Path) -> None:
    record = result(api("POST", RECORDS, RECORD))
    with Store(tmp_path / "cloudflare.json").transaction() as current:
        records = current.of("dns_records")
        for index in range(199):
            records[str(index)] = {**records[record["id"]], "id": str(index), "name": f"n{index}.{ZONE}"}
    assert error(api("POST", RECORDS, {**RECORD, "name": "last"})) == (400, 81045)
    assert result(api("PATCH", f"{RECORDS}/{record['id']}", {"proxied": False}))["proxied"] is False


def test_records_are_filtered(api: Api) -> None:
    for record in (
        RECORD,
        {**RECORD, "content": "178.105.32.198", "proxied": False},
        {**RECORD, "name": "www", "type": "CNAME", "content": "x.example", "comment": "Alias"},
        {"name": "@", "type": "TXT", "content": "v=spf1 -all", "ttl": 1},
    ):
        result(api("POST", RECORDS, record))

    def matches(query: str) -> list[str]:
        return [f"{record['type']} {record['content']}" for record in result(api("GET", f"{RECORDS}?{query}"))]

    addresses = [f"A {ADDRESS}", "A 178.105.32.198"]
    assert matches(f"name.exact=api.{ZONE}") == matches(f"name=API.{ZONE}") == matches("type=A") == addresses
    assert matches("name.exact=api") == []
    assert (
        matches("name.startswith=www")
        == matches("comment.contains=alias")
        == matches("comment.present=")
        == ["CNAME x.example"]
    )
    assert matches("type=A&proxied=false") == matches("content=178.105.32.198") == ["A 178.105.32.198"]
    assert matches("search=spf1") == matches("content.endswith=-all&name.contains=.com") == ["TXT v=spf1 -all"]
    assert len(matches("comment.absent=")) == 3
    assert matches("match=any&type=TXT&content.contains=example") == ["CNAME x.example", "TXT v=spf1 -all"]
    assert matches("order=content&direction=desc")[0] == "CNAME x.example"
