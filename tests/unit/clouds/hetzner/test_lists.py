"""The simulated Hetzner API: pages, sorting, label selectors and filters of lists."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.clouds.api import Api
from tests.unit.clouds.hetzner.requests import PUBLIC_KEY, create_primary_ip, create_server, error


def test_lists_have_pages(api: Api) -> None:
    for number in range(5):
        api("POST", "/placement_groups", {"name": f"g{number}", "type": "spread"})
    second = api("GET", "/placement_groups?page=2&per_page=2").json
    assert [group["name"] for group in second["placement_groups"]] == ["g2", "g3"]
    assert second["meta"]["pagination"] == {
        "page": 2,
        "per_page": 2,
        "previous_page": 1,
        "next_page": 3,
        "last_page": 3,
        "total_entries": 5,
    }
    last = api("GET", "/placement_groups?page=3&per_page=2").json
    assert (len(last["placement_groups"]), last["meta"]["pagination"]["next_page"]) == (1, None)
    descending = api("GET", "/placement_groups?sort=name:desc").json["placement_groups"]
    assert [group["name"] for group in descending] == ["g4", "g3", "g2", "g1", "g0"]
    assert api("GET", "/placement_groups?per_page=500").json["meta"]["pagination"]["per_page"] == 50
    assert error(api("GET", "/placement_groups?page=0")) == (422, "invalid_input")
    assert error(api("GET", "/placement_groups?sort=nothing")) == (422, "invalid_input")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", ["a", "b", "c"]),
        ("role", ["a", "b"]),
        ("!role", ["c"]),
        ("role=server", ["a"]),
        ("role==agent", ["b"]),
        ("role!=server", ["b", "c"]),
        ("role in (server, agent)", ["a", "b"]),
        ("role notin (server)", ["b", "c"]),
        ("cluster=honeydue,role=server", ["a"]),
    ],
)
def test_lists_are_filtered_by_labels(api: Api, selector: str, expected: list[str]) -> None:
    for name, labels in {"a": {"role": "server"}, "b": {"role": "agent"}, "c": {}}.items():
        body = {"name": name, "type": "spread", "labels": {"cluster": "honeydue", **labels}}
        assert api("POST", "/placement_groups", body).status == 201
    groups = api("GET", f"/placement_groups?label_selector={selector}").json["placement_groups"]
    assert [group["name"] for group in groups] == expected


def test_invalid_labels_and_selectors_are_refused(api: Api) -> None:
    body: dict[str, Any] = {"name": "a", "type": "spread"}
    for labels in ({"-a": "b"}, {"a": "b c"}, {"a": 1}, "a=b"):
        assert error(api("POST", "/placement_groups", body | {"labels": labels})) == (422, "invalid_input")
    for selector in ("a b", "a=b c", "-a=b"):
        assert error(api("GET", f"/servers?label_selector={selector}")) == (422, "invalid_input")


def test_each_collection_has_its_own_filters(api: Api) -> None:
    key = api("POST", "/ssh_keys", {"name": "ops", "public_key": PUBLIC_KEY}).json["ssh_key"]
    address, server = create_primary_ip(api), create_server(api)
    ids = [
        api("GET", f"/ssh_keys?fingerprint={key['fingerprint']}").json["ssh_keys"][0]["id"],
        api("GET", f"/primary_ips?ip={address['ip']}").json["primary_ips"][0]["id"],
        api("GET", "/servers?name=server-1&status=running").json["servers"][0]["id"],
    ]
    assert ids == [key["id"], address["id"], server["id"]]
    assert api("GET", "/ssh_keys?fingerprint=00").json["ssh_keys"] == []
    assert api("GET", "/servers?status=off").json["servers"] == []
