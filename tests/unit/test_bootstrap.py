"""Bootstrapping a new cluster: the init node, the user data of each node, and the replacement of a server."""

import copy
import re
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
import yaml

from infra.machines.ca import CA_COMMON_NAMES, secure_token
from tests.unit.capture import Capture, Registration, run

INIT_NODE = "hetzner1"
HOSTNAMES = ("ubuntu-8gb-nbg1-1", "ubuntu-8gb-nbg1-2", "ubuntu-8gb-nbg1-3")


@pytest.fixture
def settings(bootstrapped: Capture) -> dict[str, Any]:
    return copy.deepcopy(dict(bootstrapped.settings))


def node_environment(server: Registration) -> Mapping[str, str]:
    """The environment file of the script that starts or joins the cluster."""
    files = {file["path"]: file["content"] for file in yaml.safe_load(server.inputs["userData"])["write_files"]}
    return dict(re.findall(r"^(\w+)='(.*)'$", files["/etc/honeydue/node.env"], re.M))


def init_nodes(capture: Capture) -> list[str]:
    return [
        server.name for server in capture.resources("Server") if node_environment(server)["NODE_CLUSTER_INIT"] == "yes"
    ]


def test_only_the_init_node_bootstraps_and_has_the_keys_of_the_ca(bootstrapped: Capture) -> None:
    assert init_nodes(bootstrapped) == [INIT_NODE]
    for server in bootstrapped.resources("Server"):
        names = [file for file in CA_COMMON_NAMES if f"{file}\\n".replace("/", "-") in repr(server.inputs["userData"])]
        assert ("privateKeyPem of server-ca" in server.inputs["userData"]) == (server.name == INIT_NODE), names


def test_no_node_bootstraps_if_other_servers_exist(settings: dict[str, object]) -> None:
    assert init_nodes(run(settings, servers=HOSTNAMES)) == []
    assert init_nodes(run(settings, servers=["ubuntu-8gb-nbg1-2"])) == [INIT_NODE]


def test_a_replaced_init_node_does_not_bootstrap(settings: dict[str, object]) -> None:
    assert init_nodes(run(settings | {"honeydue:replacing": INIT_NODE})) == []


def test_an_existing_cluster_has_no_init_node(example: Capture) -> None:
    assert init_nodes(example) == []
    for server in example.resources("Server"):
        assert "PRIVATE KEY" not in server.inputs["userData"]
        assert example.settings["honeydue:joinToken"] in server.inputs["userData"]


def test_the_peers_of_a_node_are_the_other_servers(bootstrapped: Capture) -> None:
    addresses = {f"hetzner{number}": f"10.0.0.1{number}" for number in (1, 2, 3)}
    for server in bootstrapped.resources("Server"):
        environment = node_environment(server)
        assert environment["NODE_ADDRESS"] == addresses[server.name]
        assert set(environment["NODE_PEERS"].split()) == set(addresses.values()) - {addresses[server.name]}


def test_the_other_servers_depend_on_the_init_node(bootstrapped: Capture) -> None:
    init_node = bootstrapped.resource("Server", INIT_NODE)
    for server in bootstrapped.resources("Server"):
        assert server is init_node or init_node.urn in server.request.dependencies


def test_a_replacement_unprotects_only_that_server(settings: dict[str, object]) -> None:
    capture = run(settings | {"honeydue:replacing": "hetzner3"}, servers=HOSTNAMES)
    for server in capture.resources("Server"):
        assert server.request.protect == (server.name != "hetzner3"), server.urn
        assert server.request.deleteBeforeReplace
        # A replacement has backups if the old server had them.
        ignored = set(server.request.ignoreChanges)
        assert (ignored == {"backups"}) == (server.name == "hetzner3"), server.urn
        assert "backups" in ignored, server.urn
    assert all(address.request.protect for address in capture.resources("PrimaryIp"))


def test_on_a_private_network_the_firewall_opens_no_ports_between_nodes(
    bootstrapped: Capture, example: Capture
) -> None:
    def ports(capture: Capture) -> set[Any]:
        (firewall,) = capture.resources("Firewall")
        return {rule.get("port") for rule in firewall.inputs["rules"]}

    assert ports(bootstrapped) == {"443", "2222", "6443", None}
    assert ports(example) == {"443", "22", "6443", "2379-2380", "10250", "8472", None}
    assert {network["ip"] for server in bootstrapped.resources("Server") for network in server.inputs["networks"]} == {
        "10.0.0.11",
        "10.0.0.12",
        "10.0.0.13",
    }


def test_the_kubeconfig_output_has_the_address_of_a_new_server(bootstrapped: Capture) -> None:
    kubeconfig = yaml.safe_load(bootstrapped.outputs["kubeconfig"])
    assert kubeconfig["clusters"][0]["cluster"]["server"] == "https://203.0.113.1:6443"
    assert kubeconfig["current-context"] == "default"


def test_the_join_token_contains_the_hash_of_the_ca(bootstrapped: Capture) -> None:
    assert bootstrapped.outputs["joinToken"] == secure_token("certPem of server-ca\n", "result of k3s-token\n")


@pytest.mark.parametrize(
    ("key", "value", "message"),
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
def test_an_invalid_setting_is_an_error_with_its_key(
    settings: dict[str, Any], key: str, value: str, message: str
) -> None:
    changed = settings | {"honeydue:cluster": settings["honeydue:cluster"] | {key: value}}
    with pytest.raises(pulumi.RunError, match=re.escape(message)):
        run(changed)


def test_secrets_of_an_existing_cluster_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(
        pulumi.RunError, match=r"belongs to an existing cluster, but honeydue:cluster\.initNode bootstraps a new one"
    ):
        run(settings | {"honeydue:kubeconfig": "of another"})


def test_the_setting_replacing_must_be_the_alias_of_a_node(settings: dict[str, object]) -> None:
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
def test_a_new_node_needs_one_entry_in_the_settings(settings: dict[str, Any], entry: dict[str, str], role: str) -> None:
    prices = settings["honeydue:prices"] | {"servers": {"cx33": 6.49, "cx43": 11.99}}
    capture = run(
        settings | {"honeydue:nodes": settings["honeydue:nodes"] | {"hetzner4": entry}, "honeydue:prices": prices}
    )
    fourth = capture.resource("Server", "hetzner4")
    assert fourth.inputs["serverType"] == entry.get("serverType", "cx33")
    assert node_environment(fourth)["NODE_ROLE"] == role
    assert set(node_environment(fourth)["NODE_PEERS"].split()) == {"10.0.0.11", "10.0.0.12", "10.0.0.13"}
    is_peer_of_others = "10.0.0.14" in node_environment(capture.resource("Server", "hetzner1"))["NODE_PEERS"].split()
    assert is_peer_of_others == (role == "server")
    assert init_nodes(capture) == [INIT_NODE]
