"""The simulated Hetzner API: servers, their power, type and placement group."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from rehearsal.clouds.account import Account, write_account
from tests.unit.clouds.api import TOKENS, Api, account, state
from tests.unit.clouds.hetzner.requests import create_primary_ip, create_server, error, run_action, wait_for


def test_the_automatic_addresses_of_a_server_are_deleted_with_it(api: Api, tmp_path: Path) -> None:
    account(tmp_path, addresses={"ubuntu-1": "178.104.247.152"})
    server = create_server(api, "ubuntu-1")
    net = server["public_net"]
    assert (net["ipv4"]["ip"], net["ipv6"]["ip"]) == ("178.104.247.152", "2001:db8::/64")
    assert net["ipv4"]["dns_ptr"] == "static.152.247.104.178.clients.your-server.de"
    address = api("GET", f"/primary_ips/{net['ipv4']['id']}").json["primary_ip"]
    assert (address["assignee_id"], address["auto_delete"]) == (server["id"], True)
    assert address["name"].startswith("primary_ip-")
    assert api("DELETE", f"/servers/{server['id']}").json["action"]["command"] == "delete_server"
    assert state(tmp_path, "hetzner").of("primary_ips") == {}
    assert error(api("GET", f"/servers/{server['id']}")) == (404, "not_found")


def test_a_primary_ip_stays_when_its_server_is_deleted(api: Api) -> None:
    address = create_primary_ip(api)
    server = create_server(api, public_net={"enable_ipv4": True, "enable_ipv6": False, "ipv4": address["id"]})
    assert server["public_net"]["ipv4"]["id"] == address["id"]
    assert server["public_net"]["ipv6"] is None
    api("DELETE", f"/servers/{server['id']}")
    assert api("GET", f"/primary_ips/{address['id']}").json["primary_ip"]["assignee_id"] is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": "A_b!"}, "invalid_input"),
        ({"name": ""}, "invalid_input"),
        ({"server_type": "cx1"}, "not_found"),
        ({"image": "windows"}, "not_found"),
        ({"location": "mars1"}, "not_found"),
        ({"location": "ash"}, "invalid_input"),
        ({"user_data": "x" * 33_000}, "invalid_input"),
        ({"ssh_keys": ["nobody"]}, "not_found"),
        ({"firewalls": [{"firewall": 99}]}, "not_found"),
        ({"placement_group": 99}, "not_found"),
        ({"public_net": {"ipv4": 99}}, "not_found"),
        ({"networks": [99]}, "not_found"),
        ({"volumes": [1]}, "invalid_input"),
    ],
)
def test_an_invalid_server_is_refused(api: Api, changes: dict[str, Any], code: str) -> None:
    body = {"name": "server-1", "server_type": "cx33", "image": "ubuntu-24.04", "location": "nbg1", **changes}
    assert error(api("POST", "/servers", body))[1] == code
    assert api("GET", "/servers").json["servers"] == []


def test_a_server_type_can_be_sold_out(tmp_path: Path) -> None:
    write_account(tmp_path, Account(tokens=TOKENS, sold_out={"nbg1": ["cx33"]}))
    api = Api("hetzner", tmp_path)
    body = {"name": "server-1", "server_type": "cx33", "image": "ubuntu-24.04", "location": "nbg1"}
    assert error(api("POST", "/servers", body)) == (412, "resource_unavailable")
    assert create_server(api, location="fsn1")["location"]["name"] == "fsn1"
    (server_type,) = api("GET", "/server_types?name=cx33").json["server_types"]
    assert {item["name"]: item["available"] for item in server_type["locations"]} == {
        "fsn1": True,
        "nbg1": False,
        "hel1": True,
    }


def test_a_server_needs_a_free_address_of_its_type_and_location(api: Api) -> None:
    address, ipv6 = create_primary_ip(api), create_primary_ip(api, "six", type="ipv6")
    elsewhere = create_primary_ip(api, "elsewhere", location="fsn1")
    create_server(api, public_net={"ipv4": address["id"]})
    for id_, code in (
        (address["id"], "primary_ip_assigned"),
        (ipv6["id"], "primary_ip_version_mismatch"),
        (elsewhere["id"], "primary_ip_datacenter_mismatch"),
    ):
        body = {"name": "server-2", "server_type": "cx33", "image": "ubuntu-24.04", "public_net": {"ipv4": id_}}
        assert error(api("POST", "/servers", body)) == (422, code)


def test_power_actions_change_the_status(api: Api) -> None:
    path = f"/servers/{create_server(api)['id']}"

    def status() -> str:
        return str(api("GET", path).json["server"]["status"])

    started = api("POST", f"{path}/actions/poweroff").json["action"]
    assert (started["command"], started["status"], status()) == ("stop_server", "running", "stopping")
    wait_for(api, started)
    assert status() == "off"
    assert error(api("POST", f"{path}/actions/reboot"))[1] == "service_error"
    run_action(api, f"{path}/actions/poweron")
    assert status() == "running"
    run_action(api, f"{path}/actions/reboot")
    run_action(api, f"{path}/actions/shutdown")
    assert status() == "off"


def test_a_stopped_server_changes_its_type_and_starts_again(tmp_path: Path) -> None:
    write_account(tmp_path, Account(tokens=TOKENS, sold_out={"nbg1": ["cx53"]}))
    api = Api("hetzner", tmp_path)
    path = f"/servers/{create_server(api)['id']}"
    change = f"{path}/actions/change_type"
    assert error(api("POST", change, {"server_type": "cx43", "upgrade_disk": False})) == (422, "server_not_stopped")
    run_action(api, f"{path}/actions/poweroff")
    for server_type, response in (
        ("cx53", (412, "resource_unavailable")),
        ("cx23", (422, "invalid_server_type")),
        ("cax31", (422, "invalid_server_type")),
        ("cx1", (404, "not_found")),
    ):
        assert error(api("POST", change, {"server_type": server_type, "upgrade_disk": False})) == response
        assert api("GET", path).json["server"]["status"] == "off"
    run_action(api, change, {"server_type": "cx43", "upgrade_disk": False})
    server = api("GET", path).json["server"]
    assert (server["server_type"]["name"], server["primary_disk_size"], server["status"]) == ("cx43", 80, "running")
    run_action(api, f"{path}/actions/poweroff")
    run_action(api, change, {"server_type": "ccx33", "upgrade_disk": True})
    assert api("GET", path).json["server"]["primary_disk_size"] == 240


def test_backups_and_rebuild(api: Api) -> None:
    path = f"/servers/{create_server(api)['id']}"
    run_action(api, f"{path}/actions/enable_backup")
    assert api("GET", path).json["server"]["backup_window"] == "22-02"
    run_action(api, f"{path}/actions/disable_backup")
    assert api("GET", path).json["server"]["backup_window"] is None
    run_action(api, f"{path}/actions/rebuild", {"image": "debian-12"})
    assert api("GET", path).json["server"]["image"]["name"] == "debian-12"


def test_an_update_replaces_all_labels(api: Api) -> None:
    server = create_server(api, labels={"a": "b"})
    updated = api("PUT", f"/servers/{server['id']}", {"name": "server-2", "labels": {"c": "d"}}).json["server"]
    assert (updated["name"], updated["labels"]) == ("server-2", {"c": "d"})


def test_a_placement_group_contains_at_most_ten_servers(api: Api) -> None:
    group = api("POST", "/placement_groups", {"name": "g", "type": "spread"}).json["placement_group"]
    servers = [create_server(api, f"s{number}", placement_group=group["id"]) for number in range(10)]
    body = {"name": "s10", "server_type": "cx33", "image": "ubuntu-24.04", "placement_group": group["id"]}
    assert error(api("POST", "/servers", body)) == (422, "placement_error")
    path = f"/placement_groups/{group['id']}"
    assert api("GET", path).json["placement_group"]["servers"] == [server["id"] for server in servers]
    assert error(api("DELETE", path)) == (422, "resource_in_use")


def test_a_stopped_server_can_join_a_placement_group(api: Api) -> None:
    group = api("POST", "/placement_groups", {"name": "g", "type": "spread"}).json["placement_group"]["id"]
    path = f"/servers/{create_server(api)['id']}"
    add = f"{path}/actions/add_to_placement_group"
    assert error(api("POST", add, {"placement_group": group})) == (422, "server_not_stopped")
    run_action(api, f"{path}/actions/poweroff")
    run_action(api, add, {"placement_group": group})
    assert api("GET", path).json["server"]["placement_group"]["id"] == group
    run_action(api, f"{path}/actions/remove_from_placement_group")
    assert api("DELETE", f"/placement_groups/{group}").status == 204


def test_changes_of_a_server_run_the_machines_command(tmp_path: Path) -> None:
    log = tmp_path / "machines.log"
    script = f"""import sys
with open({str(log)!r}, "a") as log:
    print(*sys.argv[1:], file=log)
sys.exit("bad" in sys.argv)"""
    write_account(tmp_path, Account(tokens=TOKENS, machines=[sys.executable, "-c", script]))
    api = Api("hetzner", tmp_path)
    path = f"/servers/{create_server(api)['id']}"
    for name in ("poweroff", "poweron", "reboot"):
        run_action(api, f"{path}/actions/{name}")
    api("DELETE", path)
    assert log.read_text().splitlines() == [
        f"{verb} server-1" for verb in ("boot", "stop", "start", "power-cycle", "remove")
    ]
    response = api("POST", "/servers", {"name": "bad", "server_type": "cx33", "image": "ubuntu-24.04"})
    assert error(response) == (500, "server_error")
    assert state(tmp_path, "hetzner").of("servers") == {}


def test_backups_are_deleted_when_they_are_disabled_and_with_their_server(api: Api) -> None:
    server, other = create_server(api), create_server(api, "server-2")

    def backups() -> list[int]:
        return [image["bound_to"] for image in api("GET", "/images?type=backup").json["images"]]

    for id_ in (server["id"], other["id"]):
        run_action(api, f"/servers/{id_}/actions/enable_backup")
    assert backups() == [server["id"], other["id"]]
    run_action(api, f"/servers/{server['id']}/actions/disable_backup")
    assert backups() == [other["id"]]
    api("DELETE", f"/servers/{other['id']}")
    assert backups() == []
