"""A cluster that is founded here: who may found it, what each node is told, and what a replacement lifts."""

import copy
import re
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
import yaml

from infra.machines.ca import CA_COMMON_NAMES, secure_token
from tests.unit.capture import Capture, Registration, run

FOUNDER = "hetzner1"
HOSTNAMES = ("ubuntu-8gb-nbg1-1", "ubuntu-8gb-nbg1-2", "ubuntu-8gb-nbg1-3")


@pytest.fixture
def settings(founded: Capture) -> dict[str, Any]:
    return copy.deepcopy(dict(founded.settings))


def told(server: Registration) -> Mapping[str, str]:
    """The environment of the program that decides what a node becomes."""
    files = {one["path"]: one["content"] for one in yaml.safe_load(server.inputs["userData"])["write_files"]}
    return dict(re.findall(r"^(\w+)='(.*)'$", files["/etc/honeydue/node.env"], re.M))


def founders(capture: Capture) -> list[str]:
    return [one.name for one in capture.of("Server") if told(one)["NODE_CLUSTER_INIT"] == "yes"]


def test_the_founder_alone_may_found_and_alone_has_the_authoritys_keys(founded: Capture) -> None:
    assert founders(founded) == [FOUNDER]
    for server in founded.of("Server"):
        holds = [file for file in CA_COMMON_NAMES if f"{file}\\n".replace("/", "-") in repr(server.inputs["userData"])]
        assert ("privateKeyPem of server-ca" in server.inputs["userData"]) == (server.name == FOUNDER), holds


def test_nobody_founds_where_other_servers_stand(settings: dict[str, object]) -> None:
    assert founders(run(settings, servers=HOSTNAMES)) == []
    assert founders(run(settings, servers=["ubuntu-8gb-nbg1-2"])) == [FOUNDER]


def test_a_founder_that_is_replaced_founds_nothing(settings: dict[str, object]) -> None:
    assert founders(run(settings | {"honeydue:replacing": FOUNDER})) == []


def test_an_existing_cluster_is_never_founded_again(example: Capture) -> None:
    assert founders(example) == []
    for server in example.of("Server"):
        assert "PRIVATE KEY" not in server.inputs["userData"]
        assert example.settings["honeydue:joinToken"] in server.inputs["userData"]


def test_nodes_know_the_other_servers_and_not_themselves(founded: Capture) -> None:
    addresses = {f"hetzner{number}": f"10.0.0.1{number}" for number in (1, 2, 3)}
    for server in founded.of("Server"):
        environment = told(server)
        assert environment["NODE_ADDRESS"] == addresses[server.name]
        assert set(environment["NODE_PEERS"].split()) == set(addresses.values()) - {addresses[server.name]}


def test_the_others_come_after_the_founder(founded: Capture) -> None:
    founder = founded.one("Server", FOUNDER)
    for server in founded.of("Server"):
        assert server is founder or founder.urn in server.request.dependencies


def test_a_replacement_lifts_the_guards_of_that_one_node_alone(settings: dict[str, object]) -> None:
    capture = run(settings | {"honeydue:replacing": "hetzner3"}, servers=HOSTNAMES)
    for one in capture.of("Server"):
        assert one.request.protect == (one.name != "hetzner3"), one.urn
        assert one.request.deleteBeforeReplace
    assert {one.name for one in capture.of("Server") if not one.request.ignoreChanges} == {"hetzner3"}
    assert all(one.request.protect for one in capture.of("PrimaryIp"))


def test_the_private_network_carries_what_the_firewall_does_not(founded: Capture, example: Capture) -> None:
    def ports(capture: Capture) -> set[Any]:
        (firewall,) = capture.of("Firewall")
        return {rule.get("port") for rule in firewall.inputs["rules"]}

    assert ports(founded) == {"443", "2222", "6443", None}
    assert ports(example) == {"443", "22", "6443", "2379-2380", "10250", "8472", None}
    assert {network["ip"] for one in founded.of("Server") for network in one.inputs["networks"]} == {
        "10.0.0.11",
        "10.0.0.12",
        "10.0.0.13",
    }


def test_the_kubeconfig_is_an_output_made_of_what_was_made_here(founded: Capture) -> None:
    written = yaml.safe_load(founded.outputs["kubeconfig"])
    assert written["clusters"][0]["cluster"]["server"] == "https://203.0.113.1:6443"
    assert written["current-context"] == "default"


def test_the_token_pins_the_authority(founded: Capture) -> None:
    assert founded.outputs["joinToken"] == secure_token("certPem of server-ca\n", "result of k3s-token\n")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (
            "initNode",
            "hetzner9",
            "initNode hetzner9 is not a server of this stack; its servers are hetzner1, hetzner2, hetzner3",
        ),
        ("k3sVersion", "1.34", 'a release of k3s such as "v1.34.6+k3s1" was expected'),
        (
            "privateRange",
            "10.1.0.0/24",
            "network private needs a privateIpv4 in 10.1.0.0/24 for hetzner1, hetzner2, hetzner3",
        ),
    ],
)
def test_a_mistake_is_named(settings: dict[str, Any], key: str, value: str, said: str) -> None:
    changed = settings | {"honeydue:cluster": settings["honeydue:cluster"] | {key: value}}
    with pytest.raises(pulumi.RunError, match=re.escape(said)):
        run(changed)


def test_secrets_of_another_cluster_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(
        pulumi.RunError, match=r"belongs to an existing cluster, but honeydue:cluster\.initNode bootstraps a new one"
    ):
        run(settings | {"honeydue:kubeconfig": "of another"})


def test_a_node_to_replace_must_be_one(settings: dict[str, object]) -> None:
    with pytest.raises(pulumi.RunError, match="is not a node of this stack; its nodes are hetzner1"):
        run(settings | {"honeydue:replacing": "hetzner9"})


@pytest.mark.parametrize(
    ("entry", "role"),
    [
        ({"hostname": "fourth", "privateIpv4": "10.0.0.14"}, "server"),
        ({"hostname": "fourth", "privateIpv4": "10.0.0.14", "role": "agent"}, "agent"),
        ({"hostname": "fourth", "privateIpv4": "10.0.0.14", "serverType": "cx43"}, "server"),
    ],
)
def test_another_node_is_one_entry_in_the_settings(settings: dict[str, Any], entry: dict[str, str], role: str) -> None:
    prices = settings["honeydue:prices"] | {"servers": {"cx33": 6.49, "cx43": 11.99}}
    capture = run(
        settings | {"honeydue:nodes": settings["honeydue:nodes"] | {"hetzner4": entry}, "honeydue:prices": prices}
    )
    fourth = capture.one("Server", "hetzner4")
    assert fourth.inputs["serverType"] == entry.get("serverType", "cx33")
    assert told(fourth)["NODE_ROLE"] == role
    assert set(told(fourth)["NODE_PEERS"].split()) == {"10.0.0.11", "10.0.0.12", "10.0.0.13"}
    asked_by_the_others = "10.0.0.14" in told(capture.one("Server", "hetzner1"))["NODE_PEERS"].split()
    assert asked_by_the_others == (role == "server")
    assert founders(capture) == [FOUNDER]
