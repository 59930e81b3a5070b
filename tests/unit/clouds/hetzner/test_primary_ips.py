"""The simulated Hetzner API: primary IPs."""

from __future__ import annotations

from pathlib import Path

from tests.unit.clouds.api import Api, account
from tests.unit.clouds.hetzner.requests import create_primary_ip, create_server, error, run_action


def test_a_primary_ip_is_assigned_to_a_stopped_server(api: Api) -> None:
    address, other = create_primary_ip(api), create_primary_ip(api, "other")
    server = create_server(api, public_net={"enable_ipv4": False})
    path, body = f"/primary_ips/{address['id']}", {"assignee_id": server["id"], "assignee_type": "server"}
    assert error(api("POST", f"{path}/actions/assign", body)) == (422, "server_not_stopped")
    run_action(api, f"/servers/{server['id']}/actions/poweroff")
    run_action(api, f"{path}/actions/assign", body)
    assert error(api("POST", f"{path}/actions/assign", body)) == (422, "primary_ip_already_assigned")
    response = api("POST", f"/primary_ips/{other['id']}/actions/assign", body)
    assert error(response) == (422, "server_has_ipv4")
    run_action(api, f"/servers/{server['id']}/actions/poweron")
    assert error(api("POST", f"{path}/actions/unassign")) == (422, "server_not_stopped")
    assert error(api("DELETE", path)) == (422, "server_not_stopped")
    run_action(api, f"/servers/{server['id']}/actions/poweroff")
    run_action(api, f"{path}/actions/unassign")
    assert api("GET", path).json["primary_ip"]["assignee_id"] is None
    assert api("DELETE", path).status == 204


def test_a_primary_ip_can_be_created_for_a_server(api: Api) -> None:
    server = create_server(api, public_net={"enable_ipv4": False})
    run_action(api, f"/servers/{server['id']}/actions/poweroff")
    body = {"name": "new", "type": "ipv4", "assignee_id": server["id"], "assignee_type": "server", "auto_delete": True}
    created = api("POST", "/primary_ips", body).json
    assert (created["primary_ip"]["location"]["name"], created["action"]) == ("nbg1", None)
    assert created["primary_ip"]["assignee_id"] == server["id"]


def test_addresses_come_from_the_account(api: Api, tmp_path: Path) -> None:
    account(tmp_path, addresses={"address": "178.104.247.152"})
    assert create_primary_ip(api)["ip"] == "178.104.247.152"
    assert create_primary_ip(api, "other")["ip"] == "203.0.113.1"
    assert create_primary_ip(api, "six", type="ipv6")["ip"] == "2001:db8::/64"
