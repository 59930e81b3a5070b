"""The simulated Hetzner API: SSH keys and firewalls."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.clouds.api import Api
from tests.unit.clouds.hetzner.requests import FIREWALL_RULE, PUBLIC_KEY, create_server, error


def test_a_public_key_can_be_uploaded_once(api: Api) -> None:
    key = api("POST", "/ssh_keys", {"name": "ops", "public_key": PUBLIC_KEY}).json["ssh_key"]
    assert key["fingerprint"] == "69:09:e3:82:8a:4f:64:08:ba:97:29:a9:d7:c2:db:48"
    assert error(api("POST", "/ssh_keys", {"name": "other", "public_key": PUBLIC_KEY})) == (409, "uniqueness_error")
    assert error(api("POST", "/ssh_keys", {"name": "bad", "public_key": "not a key"})) == (422, "invalid_input")
    assert api("DELETE", f"/ssh_keys/{key['id']}").status == 204
    assert api("POST", "/ssh_keys", {"name": "other", "public_key": PUBLIC_KEY}).status == 201


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ([{**FIREWALL_RULE, "direction": "up"}], "invalid_input"),
        ([{**FIREWALL_RULE, "protocol": "sctp"}], "invalid_input"),
        ([{**FIREWALL_RULE, "port": "70000"}], "invalid_input"),
        ([{**FIREWALL_RULE, "port": "90-80"}], "invalid_input"),
        ([{**FIREWALL_RULE, "port": None}], "invalid_input"),
        ([{**FIREWALL_RULE, "protocol": "icmp"}], "invalid_input"),
        ([{**FIREWALL_RULE, "source_ips": []}], "invalid_input"),
        ([{**FIREWALL_RULE, "source_ips": ["10.0.0.1/8"]}], "invalid_input"),
        ([{**FIREWALL_RULE, "source_ips": ["nope"]}], "invalid_input"),
        ([{**FIREWALL_RULE, "source_ips": [f"10.0.0.{host}/32" for host in range(101)]}], "invalid_input"),
        ([{**FIREWALL_RULE, "description": "x" * 256}], "invalid_input"),
        ([FIREWALL_RULE] * 51, "resource_limit_exceeded"),
        (
            [{**FIREWALL_RULE, "source_ips": [f"10.0.0.{host}/32" for host in range(100)]}] * 6,
            "resource_limit_exceeded",
        ),
    ],
)
def test_invalid_rules_are_refused(api: Api, changed: list[Any], code: str) -> None:
    assert error(api("POST", "/firewalls", {"name": "web", "rules": changed}))[1] == code
    firewall = api("POST", "/firewalls", {"name": "web", "rules": [FIREWALL_RULE]}).json["firewall"]
    assert error(api("POST", f"/firewalls/{firewall['id']}/actions/set_rules", {"rules": changed}))[1] == code


def test_a_firewall_in_use_cannot_be_deleted(api: Api) -> None:
    firewall = api("POST", "/firewalls", {"name": "web", "rules": [FIREWALL_RULE]}).json["firewall"]
    path = f"/firewalls/{firewall['id']}"
    server = create_server(api, firewalls=[{"firewall": firewall["id"]}], labels={"role": "server"})
    assert server["public_net"]["firewalls"] == [{"id": firewall["id"], "status": "applied"}]
    assert error(api("DELETE", path)) == (422, "resource_in_use")
    target = {"type": "server", "server": {"id": server["id"]}}
    assert api("GET", path).json["firewall"]["applied_to"] == [target]
    assert api("POST", f"{path}/actions/remove_from_resources", {"remove_from": [target]}).status == 201
    selector = {"type": "label_selector", "label_selector": {"selector": "role=server"}}
    assert error(api("POST", f"{path}/actions/apply_to_resources", {"apply_to": [selector]})) == (422, "invalid_input")
    unknown = {"type": "server", "server": {"id": 99}}
    response = api("POST", f"{path}/actions/remove_from_resources", {"remove_from": [unknown]})
    assert error(response) == (422, "firewall_resource_not_found")
    assert api("DELETE", path).status == 204


def test_rules_are_returned_with_every_field(api: Api) -> None:
    firewall = api("POST", "/firewalls", {"name": "web", "rules": [FIREWALL_RULE]}).json["firewall"]
    assert firewall["rules"] == [{**FIREWALL_RULE, "destination_ips": [], "description": None}]
    ping = {"direction": "in", "protocol": "icmp", "source_ips": ["0.0.0.0/0"]}
    api("POST", f"/firewalls/{firewall['id']}/actions/set_rules", {"rules": [ping]})
    (rule,) = api("GET", f"/firewalls/{firewall['id']}").json["firewall"]["rules"]
    assert (rule["protocol"], rule["port"]) == ("icmp", None)


def test_a_server_has_at_most_five_firewalls(api: Api) -> None:
    def create(name: str) -> int:
        firewall = api("POST", "/firewalls", {"name": name, "rules": [FIREWALL_RULE]}).json["firewall"]
        return int(firewall["id"])

    *most, last = [create(f"web-{number}") for number in range(6)]
    server = create_server(api, firewalls=[{"firewall": id_} for id_ in most])
    target = {"apply_to": [{"type": "server", "server": {"id": server["id"]}}]}
    again, refused = (api("POST", f"/firewalls/{id_}/actions/apply_to_resources", target) for id_ in (most[0], last))
    assert again.status == 201
    assert error(refused) == (403, "resource_limit_exceeded")
