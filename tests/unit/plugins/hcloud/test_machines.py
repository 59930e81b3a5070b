"""The simulated hcloud plugin and the command that manages the machines of its servers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from rehearsal.clouds.account import Account, write_account
from tests.unit.clouds.api import TOKENS, Api, state
from tests.unit.plugins.engine import Engine, Inputs, ProviderError, Resource

SERVER = "hcloud:index/server:Server"
NETWORK = "hcloud:index/network:Network"
SUBNET = "hcloud:index/networkSubnet:NetworkSubnet"
PLACEMENT_GROUP = "hcloud:index/placementGroup:PlacementGroup"
GET_SERVERS = "hcloud:index/getServers:getServers"
GET_PLACEMENT_GROUPS = "hcloud:index/getPlacementGroups:getPlacementGroups"
USER_DATA = "#cloud-config topsecretvalue\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The file to which the machines command writes its arguments and its standard input."""
    return tmp_path / "machines.log"


@pytest.fixture
def hcloud(tmp_path: Path, log: Path) -> Engine:
    script = f"""import sys
with open({str(log)!r}, "a") as log:
    print(*sys.argv[1:], sys.stdin.read(), file=log)
sys.exit("bad" in sys.argv)"""
    machines = [sys.executable, "-c", script]
    write_account(tmp_path, Account(ipv4_range="127.9.9.0/24", machines=machines, tokens=TOKENS))
    return Engine("hcloud", tmp_path)


def create_server(hcloud: Engine, name: str = "server-1", **options: Any) -> Resource:
    inputs: Inputs = {
        "name": name,
        "serverType": "cx33",
        "image": "ubuntu-24.04",
        "location": "nbg1",
        "userData": USER_DATA,
        **options,
    }
    return hcloud.create(SERVER, inputs)


def test_a_machine_follows_the_changes_of_its_server(hcloud: Engine, log: Path, tmp_path: Path) -> None:
    server = create_server(hcloud)
    larger = hcloud.update(server, {**server.inputs, "serverType": "cx43"})
    hcloud.update(larger, {**larger.inputs, "labels": {"nothing": "changes"}})
    hcloud.delete(server)
    booted, stopped, cycled, removed = log.read_text().splitlines()
    description = {"server_type": "cx33", "location": "nbg1", "ipv4": "127.9.9.1"}
    assert booted.startswith("boot server-1 ")
    assert json.loads(booted.removeprefix("boot server-1 ")) == description | {"user_data": USER_DATA}
    assert json.loads(cycled.removeprefix("power-cycle server-1 ")) == description | {"server_type": "cx43"}
    assert stopped.startswith("stop server-1")
    assert removed.startswith("remove server-1")
    assert "topsecretvalue" not in (tmp_path / "hetzner.json").read_text()


def test_a_failed_boot_fails_the_creation_of_the_server(hcloud: Engine, tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="the machine of server bad failed to boot"):
        create_server(hcloud, "bad")
    assert not (tmp_path / "hetzner.json").exists()


def test_deleting_a_server_manually_removes_its_machine(hcloud: Engine, log: Path, tmp_path: Path) -> None:
    api = Api("hetzner", tmp_path)
    path = f"/servers/{create_server(hcloud, deleteProtection=True, rebuildProtection=True).id}"
    assert api("POST", f"{path}/actions/change_protection", {"delete": False, "rebuild": False}).status == 201
    assert api("DELETE", path).status == 200
    assert log.read_text().splitlines()[-1].startswith("remove server-1")
    assert state(tmp_path, "hetzner").of("servers") == {}
    assert api("DELETE", path).status == 404


def test_a_new_server_is_attached_to_its_network(hcloud: Engine) -> None:
    network = hcloud.create(NETWORK, {"name": "private", "ipRange": "10.0.0.0/24"})
    subnet = hcloud.create(
        SUBNET, {"networkId": int(network.id), "type": "cloud", "networkZone": "eu-central", "ipRange": "10.0.0.0/24"}
    )
    create_server(hcloud, networks=[{"subnetId": subnet.id, "ip": "10.0.0.11", "aliasIps": []}])
    with pytest.raises(ProviderError, match=r"10\.0\.0\.11 is not available"):
        create_server(hcloud, "server-2", networks=[{"subnetId": subnet.id, "ip": "10.0.0.11", "aliasIps": []}])


def test_get_servers_filters_by_labels(hcloud: Engine) -> None:
    create_server(hcloud, labels={"cluster": "honeydue"})
    create_server(hcloud, "other", labels={"cluster": "other"})

    def named(selector: str) -> list[str]:
        return [server["name"] for server in hcloud.invoke(GET_SERVERS, {"withSelector": selector})["servers"]]

    assert named("cluster=honeydue") == ["server-1"]
    assert named("cluster=honeydue,role=x") == []
    assert named("") == ["server-1", "other"]
    assert named("cluster in (honeydue, another)") == ["server-1"]
    with pytest.raises(ProviderError, match="label key '-a' is not correctly formatted"):
        named("-a")


def test_get_placement_groups_returns_the_servers_of_each(hcloud: Engine) -> None:
    labels = {"cluster": "honeydue"}
    groups = [
        hcloud.create(PLACEMENT_GROUP, {"name": name, "type": "spread", "labels": labels}) for name in ("full", "empty")
    ]
    server = create_server(hcloud, placementGroupId=int(groups[0].id))
    assert hcloud.invoke(GET_PLACEMENT_GROUPS, {})["placementGroups"] == [
        {"id": int(group.id), "name": name, "type": "spread", "labels": labels, "servers": servers}
        for group, name, servers in zip(groups, ("full", "empty"), ([int(server.id)], []), strict=True)
    ]
    (listed,) = hcloud.invoke(GET_SERVERS, {})["servers"]
    assert listed["placementGroupId"] == int(groups[0].id)
    assert hcloud.invoke(GET_PLACEMENT_GROUPS, {"withSelector": "cluster=other"})["placementGroups"] == []
