"""Firewalls and private networks of the simulated hcloud plugin."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.clouds.api import Api, edit, state
from tests.unit.plugins.engine import Engine, Inputs, ProviderError, plain, without_defaults
from tests.unit.plugins.hcloud.resources import FIREWALL, NETWORK, RULE, SERVER_NETWORK, SUBNET, create_server


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([RULE] * 51, "limit is 50"),
        ([{**RULE, "sourceIps": [f"10.0.{index}.0/24" for index in range(101)]}], "limit is 100"),
        ([{**RULE, "port": "70000"}], "70000"),
        ([{**RULE, "port": "90-80"}], "90-80"),
        ([{**RULE, "protocol": "icmp"}], "port is not allowed"),
        ([{key: RULE[key] for key in RULE if key != "port"}], "port is required"),
        ([{**RULE, "sourceIps": []}], "at least one range"),
    ],
)
def test_an_invalid_firewall_is_refused(hcloud: Engine, rules: list[Inputs], message: str) -> None:
    with pytest.raises(ProviderError, match=message):
        hcloud.create(FIREWALL, {"name": "web", "rules": rules})
    assert hcloud.create(FIREWALL, {"name": "web", "rules": [RULE]}).id


def test_a_firewall_is_removed_from_its_servers_before_it_is_deleted(hcloud: Engine) -> None:
    firewall = hcloud.create(FIREWALL, {"name": "web", "rules": [RULE]})
    server = create_server(hcloud, firewallIds=[int(firewall.id)])
    hcloud.delete(firewall)
    assert hcloud.read(firewall) is None
    refreshed = hcloud.read(server)
    assert refreshed is not None
    assert refreshed.outputs["firewallIds"] == []


def test_a_manual_change_is_drift(hcloud: Engine, folder: Path) -> None:
    firewall = hcloud.create(FIREWALL, {"name": "web", "rules": [RULE]})
    manual_rule = {
        "direction": "in",
        "protocol": "tcp",
        "port": "22",
        "source_ips": ["0.0.0.0/0"],
        "destination_ips": [],
    }
    edit(
        folder,
        "hetzner",
        "firewalls",
        firewall.id,
        lambda resource: resource["rules"].append({**manual_rule, "description": None}),
    )
    refreshed = hcloud.read(firewall)
    assert refreshed is not None
    diff = hcloud.diff(refreshed, firewall.inputs)
    # The new rule has index 0, because Terraform orders the elements of a set by their hash.
    assert list(diff.detailedDiff) == ["rules[0]"]
    assert list(diff.replaces) == []

    server = create_server(hcloud)
    edit(folder, "hetzner", "servers", server.id, lambda resource: resource.update(backup_window="22-02"))
    drifted = hcloud.read(server)
    assert drifted is not None
    # The program does not declare backups, and a refresh adds no inputs.
    assert "backups" not in drifted.inputs
    assert drifted.outputs["backups"] is True
    assert list(hcloud.diff(drifted, server.inputs).diffs) == ["backups"]


def test_the_order_of_sources_is_no_drift(hcloud: Engine, folder: Path) -> None:
    firewall = hcloud.create(FIREWALL, {"name": "web", "rules": [RULE]})
    edit(folder, "hetzner", "firewalls", firewall.id, lambda resource: resource["rules"][0]["source_ips"].reverse())
    refreshed = hcloud.read(firewall)
    assert refreshed is not None
    assert refreshed.inputs == without_defaults(firewall.inputs)


def test_a_new_source_is_a_single_difference(hcloud: Engine) -> None:
    firewall = hcloud.create(FIREWALL, {"name": "web", "rules": [RULE]})
    sources = [*RULE["sourceIps"], "131.0.72.0/22"]
    diff = hcloud.diff(firewall, {"name": "web", "rules": [{**RULE, "sourceIps": sources}]})
    assert list(diff.detailedDiff) == ["rules"]


def test_an_address_without_a_prefix_length_equals_a_32_bit_network(hcloud: Engine) -> None:
    firewall = hcloud.create(FIREWALL, {"name": "web", "rules": [{**RULE, "sourceIps": ["178.104.247.152"]}]})
    with_prefix = {"name": "web", "rules": [{**RULE, "sourceIps": ["178.104.247.152/32"]}]}
    assert not hcloud.diff(firewall, with_prefix).diffs


def test_omitting_a_computed_input_is_no_difference(hcloud: Engine) -> None:
    server = create_server(hcloud, backups=True)
    without = {name: value for name, value in server.inputs.items() if name not in ("backups", "location")}
    assert list(hcloud.diff(server, without).diffs) == ["backups"]


def test_a_generated_name_does_not_change(hcloud: Engine) -> None:
    first = plain(hcloud.check(FIREWALL, {}, name="web").inputs)
    assert first["name"].startswith("web-")
    second = plain(hcloud.check(FIREWALL, {}, name="web", old=first).inputs)
    assert second == first


def test_a_server_is_attached_to_a_subnet(hcloud: Engine) -> None:
    network = hcloud.create(NETWORK, {"name": "n", "ipRange": "10.0.0.0/16"})
    subnet = hcloud.create(
        SUBNET, {"networkId": int(network.id), "type": "cloud", "networkZone": "eu-central", "ipRange": "10.0.1.0/24"}
    )
    assert subnet.id == f"{network.id}-10.0.1.0/24"
    assert subnet.outputs["gateway"] == "10.0.0.1"
    assert hcloud.read(subnet) == replace(subnet, inputs=without_defaults(subnet.inputs))
    server = create_server(hcloud, networks=[{"subnetId": subnet.id, "aliasIps": []}])
    (attached,) = server.outputs["networks"]
    assert (attached["ip"], attached["subnetId"]) == ("10.0.1.2", subnet.id)
    assert hcloud.read(server) == replace(server, inputs=without_defaults(server.inputs))
    with pytest.raises(ProviderError, match="not in the network's range"):
        hcloud.create(
            SUBNET,
            {"networkId": int(network.id), "type": "cloud", "networkZone": "eu-central", "ipRange": "10.9.0.0/24"},
        )
    moved = hcloud.update(server, {**server.inputs, "networks": [{"subnetId": subnet.id, "ip": "10.0.1.9"}]})
    assert moved.outputs["networks"][0]["ip"] == "10.0.1.9"
    hcloud.update(moved, {**moved.inputs, "networks": []})
    hcloud.delete(subnet)
    assert hcloud.read(subnet) is None


def test_a_type_that_the_program_does_not_declare_is_only_checked(hcloud: Engine) -> None:
    inputs = {"serverId": 1, "networkId": 2}
    assert hcloud.reasons(SERVER_NETWORK, inputs) == []
    message = f"checks and compares '{SERVER_NETWORK}', but does not simulate its requests"
    with pytest.raises(ProviderError, match=message):
        hcloud.create(SERVER_NETWORK, inputs)


def test_networks_change_in_place(hcloud: Engine, folder: Path) -> None:
    network = hcloud.create(NETWORK, {"name": "n", "ipRange": "10.0.0.0/16", "deleteProtection": True})
    changed = hcloud.update(network, {**network.inputs, "labels": {"a": "b"}, "deleteProtection": False})
    assert (changed.outputs["labels"], changed.outputs["deleteProtection"]) == ({"a": "b"}, False)
    assert state(folder, "hetzner").of("networks")[network.id]["protection"] == {"delete": False}


def test_after_a_manual_deletion_a_refresh_returns_nothing_and_an_update_fails(hcloud: Engine, folder: Path) -> None:
    firewall = hcloud.create(FIREWALL, {"name": "web", "rules": [RULE]})
    Api("hetzner", folder)("DELETE", f"/firewalls/{firewall.id}")
    assert hcloud.read(firewall) is None
    with pytest.raises(ProviderError, match=rf"firewall with ID '{firewall.id}' not found \(not_found\)"):
        hcloud.update(firewall, {**firewall.inputs, "labels": {"a": "b"}})
