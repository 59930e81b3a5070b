"""The simulated Hetzner Cloud: life of its resources, its limits and refusals, drift and import."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rehearsal.clouds.existing import provision, state
from tests.unit.clouds_client import Engine, Inputs, ProviderError, Thing, account, plain, secret

FIREWALL = "hcloud:index/firewall:Firewall"
SERVER = "hcloud:index/server:Server"
PRIMARY_IP = "hcloud:index/primaryIp:PrimaryIp"
NETWORK = "hcloud:index/network:Network"
SUBNET = "hcloud:index/networkSubnet:NetworkSubnet"
SERVER_NETWORK = "hcloud:index/serverNetwork:ServerNetwork"

RULE = {"direction": "in", "protocol": "tcp", "port": "443", "sourceIps": ["173.245.48.0/20", "2400:cb00::/32"]}
USER_DATA = "#cloud-config topsecretvalue\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    account(tmp_path, addresses={"hetzner1": "178.104.247.152"})
    return tmp_path


@pytest.fixture
def hcloud(folder: Path) -> Engine:
    return Engine("hcloud", folder)


def an_address(hcloud: Engine, name: str = "hetzner1", **more: Any) -> Thing:
    return hcloud.create(PRIMARY_IP, {"name": name, "type": "ipv4", "location": "nbg1", "autoDelete": False, **more})


def a_server(hcloud: Engine, **more: Any) -> Thing:
    return hcloud.create(
        SERVER, {"name": "ubuntu-1", "serverType": "cx33", "image": "ubuntu-24.04", "location": "nbg1", **more}
    )


def edited(folder: Path, type_: str, id_: str, change: Callable[[Inputs], None]) -> None:
    """Somebody's change by hand."""
    path = folder / "hcloud.json"
    raw = json.loads(path.read_text())
    change(raw["resources"][type_][id_])
    path.write_text(json.dumps(raw))


def test_a_server_lives(hcloud: Engine, folder: Path) -> None:
    address = an_address(hcloud)
    firewall = hcloud.create(FIREWALL, {"name": "web", "rules": [RULE]})
    server = a_server(
        hcloud,
        firewallIds=[int(firewall.id)],
        publicNets=[{"ipv4Enabled": True, "ipv4": int(address.id), "ipv6Enabled": True}],
        userData=secret(USER_DATA),
    )
    assert server.id.isdigit()
    assert server.outputs["ipv4Address"] == "178.104.247.152"
    assert server.outputs["ipv6Address"].startswith("2001:db8:")
    assert server.outputs["status"] == "running"
    assert server.outputs["firewallIds"] == [int(firewall.id)]

    # Nothing changed: a refresh gives what was, and the next run finds nothing to do.
    fresh = hcloud.read(server)
    assert fresh is not None
    assert fresh.inputs == server.inputs
    assert fresh.outputs == server.outputs

    renamed = hcloud.update(server, {**server.inputs, "labels": {"cluster": "honeydue"}})
    assert renamed.outputs["labels"] == {"cluster": "honeydue"}
    assert renamed.outputs["ipv4Address"] == "178.104.247.152"

    hcloud.delete(renamed)
    assert hcloud.read(renamed) is None
    hcloud.delete(renamed)
    # The address outlives the server, and is free again.
    assert state(folder, "hcloud").of(PRIMARY_IP)[address.id]["assigneeId"] == 0


def test_user_data_is_secret_everywhere(hcloud: Engine, folder: Path) -> None:
    server = a_server(hcloud, userData=secret(USER_DATA))
    # A hash, as the real provider keeps it; and marked, since the hash of a short secret can be guessed.
    assert server.outputs["userData"] == secret("OPsFKt2+Be5mp/OuEhNlk7vZQEw=")
    assert "topsecret" not in (folder / "hcloud.json").read_text()


def test_the_expected_address_is_handed_out_and_others_are_documentation_ones(hcloud: Engine) -> None:
    assert an_address(hcloud).outputs["ipAddress"] == "178.104.247.152"
    assert an_address(hcloud, "other").outputs["ipAddress"].startswith("203.0.113.")
    sixth = hcloud.create(PRIMARY_IP, {"name": "six", "type": "ipv6", "location": "nbg1"})
    assert sixth.outputs["ipNetwork"].startswith("2001:db8:")


@pytest.mark.parametrize(
    ("rules", "words"),
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
def test_the_api_refuses_a_firewall(hcloud: Engine, rules: list[Inputs], words: str) -> None:
    with pytest.raises(ProviderError, match=words):
        hcloud.create(FIREWALL, {"name": "web", "rules": rules})
    assert hcloud.create(FIREWALL, {"name": "web", "rules": [RULE]}).id


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"name": "A_b!"}, "hostname"),
        ({"serverType": "cx1"}, "server type cx1 not found"),
        ({"image": "windows"}, "image windows not found"),
        ({"location": "mars1"}, "mars1"),
        ({"firewallIds": [99]}, "firewall with ID '99' not found"),
        ({"sshKeys": ["nobody"]}, "SSH key not found: nobody"),
        ({"publicNets": [{"ipv4": 99}]}, "primary IP with ID '99' not found"),
        ({"placementGroupId": 99}, "placement group with ID '99' not found"),
        ({"deleteProtection": True}, "both be on"),
    ],
)
def test_the_api_refuses_a_server(hcloud: Engine, inputs: Inputs, words: str) -> None:
    with pytest.raises(ProviderError, match=words):
        a_server(hcloud, **inputs)
    assert a_server(hcloud).id


def test_names_are_unique(hcloud: Engine) -> None:
    an_address(hcloud)
    with pytest.raises(ProviderError, match=r"\(uniqueness_error\)"):
        an_address(hcloud)


def test_an_address_serves_one_server(hcloud: Engine) -> None:
    nets = [{"ipv4": int(an_address(hcloud).id)}]
    a_server(hcloud, publicNets=nets)
    with pytest.raises(ProviderError, match="already assigned"):
        a_server(hcloud, name="second", publicNets=nets)


def test_a_server_ordered_without_an_address_gets_the_one_held_for_it_and_nothing_else_does(tmp_path: Path) -> None:
    account(tmp_path, addresses={"ubuntu-1": "178.104.247.152"})
    hcloud = Engine("hcloud", tmp_path)
    server = a_server(hcloud)
    assert server.outputs["ipv4Address"] == "178.104.247.152"
    own = {f"primary_ip-{key}": live for key, live in state(tmp_path, "hcloud").of(PRIMARY_IP).items()}
    assert {name: live["name"] for name, live in own.items()} == {name: name for name in own}
    assert an_address(hcloud, name="hetzner1-ipv4").outputs["ipAddress"].startswith("203.0.113.")


@pytest.mark.parametrize(("protected", "said"), [(False, "not found"), (True, "protected")])
def test_a_program_that_assigns_a_server_its_own_address_would_lose_it(
    hcloud: Engine, folder: Path, protected: bool, said: str
) -> None:
    server = a_server(hcloud)
    (own,) = (key for key, live in state(folder, "hcloud").of(PRIMARY_IP).items() if live["type"] == "ipv4")
    edited(folder, PRIMARY_IP, own, lambda live: live.update(deleteProtection=protected))
    with pytest.raises(ProviderError, match=said):
        hcloud.update(
            server, {**server.inputs, "publicNets": [{"ipv4Enabled": True, "ipv4": int(own), "ipv6Enabled": True}]}
        )


def test_a_server_exchanges_one_primary_ip_for_another(hcloud: Engine, folder: Path) -> None:
    first, second = an_address(hcloud), an_address(hcloud, name="other")
    server = a_server(hcloud, publicNets=[{"ipv4": int(first.id)}])
    changed = hcloud.update(server, {**server.inputs, "publicNets": [{"ipv4": int(second.id)}]})
    assert changed.outputs["ipv4Address"] == second.outputs["ipAddress"]
    assert state(folder, "hcloud").of(PRIMARY_IP)[first.id]["assigneeId"] == 0


def test_a_firewall_in_use_stays(hcloud: Engine) -> None:
    firewall = hcloud.create(FIREWALL, {"name": "web", "rules": [RULE]})
    a_server(hcloud, firewallIds=[int(firewall.id)])
    with pytest.raises(ProviderError, match=r"resource_in_use"):
        hcloud.delete(firewall)


def test_the_provider_lifts_its_own_protection_and_no_other(hcloud: Engine, folder: Path) -> None:
    declared = an_address(hcloud, deleteProtection=True)
    hcloud.delete(declared)
    assert hcloud.read(declared) is None

    by_hand = an_address(hcloud, "other")
    edited(folder, PRIMARY_IP, by_hand.id, lambda live: live.update(deleteProtection=True))
    with pytest.raises(ProviderError, match=r"\(protected\)"):
        hcloud.delete(by_hand)


def test_a_change_by_hand_is_drift(hcloud: Engine, folder: Path) -> None:
    firewall = hcloud.create(FIREWALL, {"name": "web", "rules": [RULE]})
    edited(folder, FIREWALL, firewall.id, lambda live: live["rules"].append({**RULE, "port": "22"}))
    fresh = hcloud.read(firewall)
    assert fresh is not None
    diff = hcloud.diff(FIREWALL, fresh.inputs, firewall.inputs)
    assert list(diff.detailedDiff) == ["rules[1]"]
    assert list(diff.replaces) == []

    server = a_server(hcloud)
    edited(folder, SERVER, server.id, lambda live: live.update(backups=True))
    drifted = hcloud.read(server)
    assert drifted is not None
    assert drifted.inputs["backups"] is True
    assert list(hcloud.diff(SERVER, drifted.inputs, server.inputs).diffs) == ["backups"]


def test_the_order_of_sources_is_no_drift(hcloud: Engine, folder: Path) -> None:
    firewall = hcloud.create(FIREWALL, {"name": "web", "rules": [RULE]})
    edited(folder, FIREWALL, firewall.id, lambda live: live["rules"][0]["sourceIps"].reverse())
    fresh = hcloud.read(firewall)
    assert fresh is not None
    assert fresh.inputs == firewall.inputs


def test_one_new_source_is_one_difference(hcloud: Engine) -> None:
    sources = [*RULE["sourceIps"], "131.0.72.0/22"]
    diff = hcloud.diff(FIREWALL, {"rules": [RULE]}, {"rules": [{**RULE, "sourceIps": sources}]})
    assert list(diff.detailedDiff) == ["rules[0].sourceIps[2]"]


def test_a_bare_address_is_one_of_32_bits(hcloud: Engine) -> None:
    bare = {"rules": [{**RULE, "sourceIps": ["178.104.247.152"]}]}
    assert not hcloud.diff(FIREWALL, bare, {"rules": [{**RULE, "sourceIps": ["178.104.247.152/32"]}]}).diffs


def test_an_adopted_server_is_known_but_for_what_the_api_does_not_tell(hcloud: Engine, folder: Path) -> None:
    address = provision(folder, PRIMARY_IP, {"name": "hetzner1", "type": "ipv4", "location": "nbg1"})
    inputs = {
        "name": "ubuntu-1",
        "serverType": "cx33",
        "image": "ubuntu-24.04",
        "location": "nbg1",
        "publicNets": [{"ipv4Enabled": True, "ipv4": int(address), "ipv6Enabled": True}],
    }
    id_ = provision(folder, SERVER, {**inputs, "userData": USER_DATA})
    found = hcloud.import_(SERVER, id_)
    assert found is not None
    assert "userData" not in found.inputs
    assert not hcloud.reasons(SERVER, found.inputs)
    assert not hcloud.diff(SERVER, found.inputs, inputs).diffs
    assert list(hcloud.diff(SERVER, found.inputs, {**inputs, "userData": USER_DATA}).replaces) == ["userData"]
    imported = hcloud.import_(PRIMARY_IP, address)
    assert imported is not None
    assert not hcloud.reasons(PRIMARY_IP, imported.inputs)


def test_what_does_not_exist_is_not_read(hcloud: Engine) -> None:
    assert hcloud.import_(SERVER, "4711") is None


def test_a_replaced_server_of_a_fixed_name_goes_first(hcloud: Engine) -> None:
    old = {"name": "a", "serverType": "cx33", "image": "ubuntu-22.04"}
    assert hcloud.diff(SERVER, old, {**old, "image": "ubuntu-24.04"}).deleteBeforeReplace
    assert not hcloud.diff(SERVER, old, {**old, "name": "b", "image": "ubuntu-24.04"}).deleteBeforeReplace


def test_what_the_cloud_chooses_is_no_difference_but_what_the_program_drops_is(hcloud: Engine) -> None:
    old = {"name": "a", "serverType": "cx33", "location": "nbg1", "backups": True}
    diff = hcloud.diff(SERVER, old, {"name": "a", "serverType": "cx33"})
    assert list(diff.diffs) == ["backups"]


def test_a_missing_name_is_made_up_once(hcloud: Engine) -> None:
    first = plain(hcloud.check(FIREWALL, {}, name="web").inputs)
    assert first["name"].startswith("web-")
    again = plain(hcloud.check(FIREWALL, {}, name="web", old=first).inputs)
    assert again == first


def test_private_networks(hcloud: Engine) -> None:
    network = hcloud.create(NETWORK, {"name": "n", "ipRange": "10.0.0.0/16"})
    subnet = hcloud.create(
        SUBNET, {"networkId": int(network.id), "type": "cloud", "networkZone": "eu-central", "ipRange": "10.0.1.0/24"}
    )
    assert subnet.id == f"{network.id}-10.0.1.0/24"
    assert subnet.outputs["gateway"] == "10.0.0.1"
    server = a_server(hcloud)
    attached = hcloud.create(SERVER_NETWORK, {"serverId": int(server.id), "subnetId": subnet.id})
    assert attached.outputs["ip"] == "10.0.1.2"
    assert hcloud.read(attached) == attached
    with pytest.raises(ProviderError, match="not in the network's range"):
        hcloud.create(
            SUBNET,
            {"networkId": int(network.id), "type": "cloud", "networkZone": "eu-central", "ipRange": "10.9.0.0/24"},
        )


def test_a_thing_deleted_by_hand_is_gone_for_a_refresh_and_an_error_for_an_update(hcloud: Engine, folder: Path) -> None:
    firewall = hcloud.create(FIREWALL, {"name": "web", "rules": [RULE]})
    path = folder / "hcloud.json"
    path.write_text(json.dumps({"resources": {}, "internal": {}}))
    assert hcloud.read(firewall) is None
    with pytest.raises(ProviderError, match="does not exist any more"):
        hcloud.update(firewall, {**firewall.inputs, "labels": {"a": "b"}})
