"""The commands that the simulated Hetzner Cloud runs for its servers, and the properties that the program reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from rehearsal.clouds.account import Account, write_account
from rehearsal.clouds.existing import remove, state
from tests.unit.clouds_client import Engine, Inputs, ProviderError, Thing

SERVER = "hcloud:index/server:Server"
NETWORK = "hcloud:index/network:Network"
SUBNET = "hcloud:index/networkSubnet:NetworkSubnet"
GET_SERVERS = "hcloud:index/getServers:getServers"
USER_DATA = "#cloud-config topsecretvalue\n"


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Where a command that stands for the machines writes down each word it was told, and each line it was given."""
    return tmp_path / "told"


@pytest.fixture
def hcloud(tmp_path: Path, told: Path) -> Engine:
    script = f"""import sys
with open({str(told)!r}, "a") as told:
    print(*sys.argv[1:], sys.stdin.read(), file=told)
sys.exit("bad" in sys.argv)"""
    write_account(tmp_path, Account(ipv4_range="127.9.9.0/24", machines=[sys.executable, "-c", script]))
    return Engine("hcloud", tmp_path)


def a_server(hcloud: Engine, name: str = "one", **more: Any) -> Thing:
    inputs: Inputs = {
        "name": name,
        "serverType": "cx33",
        "image": "ubuntu-24.04",
        "location": "nbg1",
        "userData": USER_DATA,
        **more,
    }
    return hcloud.create(SERVER, inputs)


def test_a_machine_boots_with_its_server_is_cycled_with_its_type_and_goes_with_it(
    hcloud: Engine, told: Path, tmp_path: Path
) -> None:
    server = a_server(hcloud)
    larger = hcloud.update(server, {**server.inputs, "serverType": "cx43"})
    hcloud.update(larger, {**larger.inputs, "labels": {"nothing": "changes"}})
    hcloud.delete(server)
    booted, cycled, removed = told.read_text().splitlines()
    described = {"server_type": "cx33", "location": "nbg1", "ipv4": "127.9.9.1"}
    assert booted.startswith("boot one ")
    assert json.loads(booted.removeprefix("boot one ")) == described | {"user_data": USER_DATA}
    assert json.loads(cycled.removeprefix("power-cycle one ")) == described | {"server_type": "cx43"}
    assert removed.startswith("remove one")
    assert "topsecretvalue" not in (tmp_path / "hcloud.json").read_text()


def test_a_machine_that_cannot_boot_is_an_error_of_its_server(hcloud: Engine, tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="the machine of server bad failed to boot"):
        a_server(hcloud, "bad")
    assert not (tmp_path / "hcloud.json").exists()


def test_a_server_deleted_by_hand_takes_its_machine_along(hcloud: Engine, told: Path, tmp_path: Path) -> None:
    a_server(hcloud, deleteProtection=True, rebuildProtection=True)
    remove(tmp_path, SERVER, "one")
    assert told.read_text().splitlines()[-1].startswith("remove one")
    assert state(tmp_path, "hcloud").of(SERVER) == {}
    with pytest.raises(LookupError, match="named one"):
        remove(tmp_path, SERVER, "one")


def test_a_server_is_in_its_network_from_the_beginning(hcloud: Engine) -> None:
    network = hcloud.create(NETWORK, {"name": "private", "ipRange": "10.0.0.0/24"})
    subnet = hcloud.create(
        SUBNET, {"networkId": int(network.id), "type": "cloud", "networkZone": "eu-central", "ipRange": "10.0.0.0/24"}
    )
    a_server(hcloud, networks=[{"subnetId": subnet.id, "ip": "10.0.0.11", "aliasIps": []}])
    with pytest.raises(ProviderError, match=r"10\.0\.0\.11 is not available"):
        a_server(hcloud, "two", networks=[{"subnetId": subnet.id, "ip": "10.0.0.11", "aliasIps": []}])


def test_servers_are_found_by_their_labels(hcloud: Engine) -> None:
    a_server(hcloud, labels={"cluster": "honeydue"})
    a_server(hcloud, "other", labels={"cluster": "other"})

    def named(selector: str) -> list[str]:
        return [server["name"] for server in hcloud.invoke(GET_SERVERS, {"withSelector": selector})["servers"]]

    assert named("cluster=honeydue") == ["one"]
    assert named("cluster=honeydue,role=x") == []
    assert named("") == ["one", "other"]
    with pytest.raises(ProviderError, match="does not simulate the label selector"):
        named("cluster in (a, b)")
