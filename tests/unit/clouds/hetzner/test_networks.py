"""The simulated Hetzner API: private networks, their subnets and their servers."""

from __future__ import annotations

from tests.unit.clouds.api import Api
from tests.unit.clouds.hetzner.requests import create_network, create_server, error, run_action


def test_subnets_must_be_within_their_network(api: Api) -> None:
    network = create_network(api, "10.0.0.0/24")
    assert network["subnets"][0]["gateway"] == "10.0.0.1"
    path, subnet = f"/networks/{network['id']}", {"type": "cloud", "network_zone": "eu-central"}
    for invalid in (
        {**subnet, "ip_range": "10.9.9.9/24"},
        {**subnet, "ip_range": "192.168.0.0/24"},
        {**subnet, "ip_range": "10.0.0.0/25"},
        {**subnet, "ip_range": "10.0.1.0/24", "network_zone": "moon"},
        {**subnet, "ip_range": "10.0.1.0/24", "type": "other"},
    ):
        assert error(api("POST", f"{path}/actions/add_subnet", invalid)) == (422, "invalid_input")
    run_action(api, f"{path}/actions/add_subnet", {**subnet, "ip_range": "10.0.1.0/24"})
    run_action(api, f"{path}/actions/delete_subnet", {"ip_range": "10.0.1.0/24"})
    assert len(api("GET", path).json["network"]["subnets"]) == 1
    assert error(api("POST", "/networks", {"name": "public", "ip_range": "8.8.0.0/16"})) == (422, "invalid_input")


def test_servers_are_attached_to_a_network(api: Api) -> None:
    network = create_network(api, "10.0.0.0/24")
    first = create_server(api, networks=[network["id"]])
    assert first["private_net"][0]["ip"] == "10.0.0.2"
    second = f"/servers/{create_server(api, 'server-2')['id']}/actions"
    for body, code in (
        ({"network": network["id"], "ip": "10.0.0.2"}, "ip_not_available"),
        ({"network": network["id"], "ip": "10.0.9.2"}, "ip_not_available"),
        ({"network": network["id"], "ip_range": "10.0.9.0/24"}, "no_subnet_available"),
        ({"network": 99}, "not_found"),
    ):
        assert error(api("POST", f"{second}/attach_to_network", body))[1] == code
    run_action(api, f"{second}/attach_to_network", {"network": network["id"], "ip": "10.0.0.11"})
    repeated = api("POST", f"{second}/attach_to_network", {"network": network["id"]})
    assert error(repeated) == (422, "server_already_attached")
    assert len(api("GET", f"/networks/{network['id']}").json["network"]["servers"]) == 2
    response = api("POST", f"/networks/{network['id']}/actions/delete_subnet", {"ip_range": "10.0.0.0/24"})
    assert response.json["error"]["message"] == "cannot remove subnet because servers are attached to it"
    run_action(api, f"{second}/change_alias_ips", {"network": network["id"], "alias_ips": ["10.0.0.12"]})
    run_action(api, f"{second}/detach_from_network", {"network": network["id"]})
    assert error(api("POST", f"{second}/detach_from_network", {"network": network["id"]}))[1] == "not_found"
    assert api("DELETE", f"/networks/{network['id']}").status == 204
    assert api("GET", f"/servers/{first['id']}").json["server"]["private_net"] == []


def test_a_network_has_at_least_256_addresses(api: Api) -> None:
    for ip_range, status in (("10.0.0.0/25", 422), ("10.0.0.0/24", 201)):
        assert api("POST", "/networks", {"name": ip_range, "ip_range": ip_range}).status == status


def test_reserved_addresses_are_not_available(api: Api) -> None:
    network = create_network(api, "10.0.0.0/24")
    attach = f"/servers/{create_server(api)['id']}/actions/attach_to_network"
    for address in ("10.0.0.0", "10.0.0.1", "10.0.0.255"):
        response = api("POST", attach, {"network": network["id"], "ip": address})
        assert error(response) == (422, "ip_not_available"), address


def test_all_servers_of_a_network_are_in_its_zone(api: Api) -> None:
    network = create_network(api, "10.0.0.0/24")
    body = {"server_type": "cpx21", "image": "ubuntu-24.04", "networks": [network["id"]]}
    assert api("POST", "/servers", {**body, "name": "near", "location": "hel1"}).status == 201
    assert error(api("POST", "/servers", {**body, "name": "far", "location": "ash"})) == (422, "invalid_input")


def test_a_network_contains_at_most_a_hundred_servers(api: Api) -> None:
    network = create_network(api, "10.0.0.0/24")
    for number in range(100):
        create_server(api, f"server-{number}", networks=[network["id"]])
    last = create_server(api, "last")
    response = api("POST", f"/servers/{last['id']}/actions/attach_to_network", {"network": network["id"]})
    assert error(response) == (403, "resource_limit_exceeded")
