"""The simulated Hetzner API: unique names, deletion protection and limits of a project."""

from __future__ import annotations

from pathlib import Path

from rehearsal.clouds.account import Account, write_account
from tests.unit.clouds.api import TOKENS, Api
from tests.unit.clouds.hetzner.requests import create_network, create_primary_ip, create_server, error, run_action


def test_names_are_unique_in_a_project(api: Api) -> None:
    first, second = create_primary_ip(api), create_primary_ip(api, "second")
    response = api("POST", "/primary_ips", {"name": "address", "type": "ipv4", "location": "nbg1"})
    assert error(response) == (409, "uniqueness_error")
    assert response.json["error"]["message"] == "primary ip name is already used"
    renamed = api("PUT", f"/primary_ips/{second['id']}", {"name": first["name"]})
    assert error(renamed) == (409, "uniqueness_error")
    assert api("PUT", f"/primary_ips/{first['id']}", {"name": first["name"]}).status == 200
    # A name belongs to its collection.
    assert create_server(api, "address")


def test_a_protected_resource_refuses_deletion(api: Api) -> None:
    address, network, server = create_primary_ip(api), create_network(api), create_server(api)
    both = {"delete": True, "rebuild": True}
    for path, protection in (
        (f"/primary_ips/{address['id']}", {"delete": True}),
        (f"/networks/{network['id']}", {"delete": True}),
        (f"/servers/{server['id']}", both),
    ):
        run_action(api, f"{path}/actions/change_protection", protection)
        assert error(api("DELETE", path)) == (403, "protected")
        run_action(api, f"{path}/actions/change_protection", dict.fromkeys(protection, False))
        assert api("DELETE", path).status in (200, 204)


def test_a_protected_server_returns_the_message_of_hetzner(api: Api) -> None:
    path = f"/servers/{create_server(api)['id']}"
    run_action(api, f"{path}/actions/change_protection", {"delete": True, "rebuild": True})
    assert api("DELETE", path).json["error"]["message"] == "server deletion is protected"
    assert error(api("POST", f"{path}/actions/rebuild", {"image": "debian-12"})) == (403, "protected")


def test_both_protections_of_a_server_change_together(api: Api) -> None:
    path = f"/servers/{create_server(api)['id']}/actions/change_protection"
    assert error(api("POST", path, {"delete": True})) == (422, "invalid_input")
    run_action(api, path, {"delete": True, "rebuild": True})


def test_a_project_has_limits(tmp_path: Path) -> None:
    write_account(tmp_path, Account(tokens=TOKENS, limits={"servers": 1}))
    api = Api("hetzner", tmp_path)
    create_server(api)
    response = api("POST", "/servers", {"name": "server-2", "server_type": "cx33", "image": "ubuntu-24.04"})
    assert error(response) == (403, "resource_limit_exceeded")
    for number in range(50):
        api("POST", "/placement_groups", {"name": f"g{number}", "type": "spread"})
    response = api("POST", "/placement_groups", {"name": "group-51", "type": "spread"})
    assert error(response) == (403, "resource_limit_exceeded")
