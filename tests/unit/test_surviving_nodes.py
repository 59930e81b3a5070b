"""The guard rails for nodes that survive a plan: settings that they do not take over, and ports that they need."""

from collections.abc import Mapping
from typing import Any

import pytest

from infra.settings.schema import Settings
from ops.guardrails.rules import check
from ops.guardrails.violation import Violation
from ops.plan import Plan
from ops.resource_types import FIREWALL, PRIMARY_IP, SERVER
from tests.unit.flips import PRIVATE, example, firewall, flip
from tests.unit.plans import plan, step

CONNECTED, MATCH = "nodes_stay_connected", "settings_match_nodes"
NEW_NODE = {"nodes.hetzner4.hostname": "ubuntu-8gb-nbg1-4"}
NODES = ("hetzner1", "hetzner2", "hetzner3")
NARROW = {"access.operators": ["203.0.113.0/24"]}
BOOTSTRAPPED: Mapping[str, object] = {
    **PRIVATE,
    "cluster.initNode": "hetzner1",
    "cluster.flannelBackend": "wireguard-native",
    "cluster.secretsEncryption": True,
    "access.sshPort": 2222,
}


def of_nodes(planned: Plan, **options: Any) -> list[Violation]:
    """The violations of both rules. The plans here contain nothing that another rule checks, except deletions."""
    return [entry for entry in check(planned, **options) if entry.rule in (CONNECTED, MATCH, "check")]


def violations(old: Settings, new: Settings, **options: Any) -> set[tuple[str, str]]:
    return {(entry.rule, entry.resource) for entry in of_nodes(flip(old, new, **options))}


def closed(old: Settings, new: Settings) -> list[str]:
    """The ports that a change would close, with what the refusal says about them."""
    return [entry.reason.partition(":")[0] for entry in of_nodes(flip(old, new)) if entry.rule == CONNECTED]


def test_another_ssh_port_is_refused_while_servers_survive() -> None:
    planned = flip(example(), example({"access.sshPort": 2222}))
    cut, fact = of_nodes(planned)
    assert (cut.rule, cut.resource) == (CONNECTED, "Firewall::honeydue")
    assert cut.reason.startswith("would close tcp 22 (SSH from operators) to everybody: existing nodes still use it")
    assert cut.fix.startswith("set honeydue:access.sshPort back to 22")
    assert (fact.rule, fact.resource) == (MATCH, "honeydue:access.sshPort")
    assert fact.reason.startswith("would change from 22 to 2222, but hetzner1, hetzner2, hetzner3 would keep 22")
    assert of_nodes(planned, allow_delete=["Firewall::honeydue"]) == [cut, fact]


def test_another_flannel_backend_is_refused_with_the_nodes_that_it_would_cut_off() -> None:
    assert closed(example(), example({"cluster.flannelBackend": "wireguard-native"})) == [
        "would close udp 8472 (Flannel vxlan between nodes) to hetzner1 (178.104.247.152), hetzner2 (178.105.32.198), "
        "hetzner3 (178.104.249.189)"
    ]


def test_a_move_to_the_private_network_is_refused_with_every_port_between_nodes() -> None:
    ports = [reason.split(" to ")[0] for reason in closed(example(NARROW), example({**NARROW, **PRIVATE}))]
    assert ports == [
        "would close tcp 6443 (Kubernetes API from operators and nodes)",
        "would close tcp 2379-2380 (etcd between nodes)",
        "would close tcp 10250 (kubelet between nodes)",
        "would close udp 8472 (Flannel vxlan between nodes)",
    ]
    # Operators may reach the API from anywhere, and so may the nodes.
    assert len(closed(example(), example(PRIVATE))) == 3


@pytest.mark.parametrize(
    "key",
    [
        "podCidr",
        "serviceCidr",
        "clusterDns",
        "clusterDomain",
        "network",
        "privateRange",
        "flannelBackend",
        "secretsEncryption",
    ],
)
def test_a_fact_of_a_bootstrapped_cluster_is_refused_too(key: str) -> None:
    other = {
        "podCidr": "10.44.0.0/16",
        "serviceCidr": "10.43.0.0/17",
        "clusterDns": "10.43.0.11",
        "clusterDomain": "k3s.internal",
        "network": "public",
        "privateRange": "10.0.0.0/16",
        "flannelBackend": "vxlan",
        "secretsEncryption": False,
    }
    old, new = example(BOOTSTRAPPED), example({**BOOTSTRAPPED, f"cluster.{key}": other[key]})
    assert (MATCH, f"honeydue:cluster.{key}") in violations(old, new)
    # One node after the other is no way, because all nodes must have the same value.
    assert (MATCH, f"honeydue:cluster.{key}") in violations(old, new, replaced=["hetzner1"], replacing="hetzner1")
    assert violations(old, new, replaced=NODES) == set()


def test_an_adopted_cluster_cannot_be_bootstrapped() -> None:
    (fact,) = of_nodes(flip(example(), example({"cluster.initNode": "hetzner1"})))
    assert fact.reason.startswith("would change from not set to set")


@pytest.mark.parametrize(
    "changes",
    [
        NARROW,
        {"access.operators": ["203.0.113.7/32", "198.51.100.0/24"]},
        NEW_NODE,
        {**NEW_NODE, **NARROW},
        {"sshKeys": {"other": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG9wcw=="}},
        {"nodes.hetzner1.serverType": "cx43", "prices.servers.cx43": 12.0},
        {"cluster.k3sSha256": "0" * 64},
        {"cluster.context": "other"},
        {"nodes.hetzner1.privateIpv4": "10.0.0.11"},
    ],
)
@pytest.mark.parametrize("before", [{}, BOOTSTRAPPED])
def test_ordinary_changes_are_allowed(before: Mapping[str, object], changes: Mapping[str, object]) -> None:
    if before and NEW_NODE.keys() <= changes.keys():
        changes = {**changes, "nodes.hetzner4.privateIpv4": "10.0.0.14"}
    assert violations(example(before), example({**before, **changes})) == set()


def test_a_removed_node_loses_its_access_only() -> None:
    removed = example({"nodes.hetzner3": None})
    assert violations(example(), removed) == set()
    assert violations(example(), example({"nodes.hetzner3": None, "access.sshPort": 2222})) == {
        (CONNECTED, "Firewall::honeydue"),
        (MATCH, "honeydue:access.sshPort"),
    }


@pytest.mark.parametrize(("key", "value"), [("image", "ubuntu-26.04"), ("location", "fsn1"), ("role", "agent")])
def test_a_fact_of_one_node_changes_only_when_it_is_replaced(key: str, value: str) -> None:
    old, new = example(), example({f"nodes.hetzner2.{key}": value})
    (fact,) = of_nodes(flip(old, new))
    assert (fact.rule, fact.resource) == (MATCH, f"honeydue:nodes.hetzner2.{key}")
    assert "but hetzner2 would keep" in fact.reason
    assert "pulumi config set honeydue:replacing hetzner2 --stack prod, then make up" in fact.fix
    assert violations(old, new, replaced=["hetzner2"], replacing="hetzner2") == set()
    assert violations(old, new, replaced=["hetzner1"], replacing="hetzner1") == {(MATCH, fact.resource)}


def test_another_hostname_needs_another_alias() -> None:
    old, new = example(), example({"nodes.hetzner2.hostname": "other"})
    (fact,) = of_nodes(flip(old, new, replaced=["hetzner2"], replacing="hetzner2"))
    assert fact.fix.endswith("remove the node, and add one with another alias")
    moved = {"nodes.hetzner2": None, "nodes.hetzner5.hostname": "other"}
    assert violations(old, example(moved)) == set()


def test_another_version_of_k3s_needs_a_node_that_gets_it() -> None:
    old, new = example(), example({"cluster.k3sVersion": "v1.34.7+k3s1"})
    (fact,) = of_nodes(flip(old, new))
    assert "but hetzner1, hetzner2, hetzner3 would keep v1.34.6+k3s1" in fact.reason
    assert "or replace one node after the other, hetzner1 first" in fact.fix
    assert violations(old, new, replaced=["hetzner1"], replacing="hetzner1") == set()
    assert violations(old, example({"cluster.k3sVersion": "v1.34.7+k3s1", **NEW_NODE})) == set()
    upgrades = {"window": {"start": "02:00", "end": "05:00", "timeZone": "Europe/Berlin"}, "k3s": ["sun"]}
    controlled = {"cluster.k3sVersion": "v1.34.7+k3s1", "upgrades": upgrades}
    assert violations(example({"upgrades": upgrades}), example(controlled)) == set()
    assert violations(old, example(controlled)) == set()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cluster.secretsEncryption", True),
        ("cluster.disableServiceLb", True),
        ("cluster.egressSelectorMode", "pod"),
        ("cluster.k3sVersion", "v1.34.7+k3s1"),
    ],
)
def test_nodes_that_were_changed_by_hand_are_confirmed(key: str, value: object) -> None:
    planned = flip(example(), example({key: value}))
    (fact,) = of_nodes(planned)
    assert fact.fix.endswith(f'make up STACK=prod NODES_HAVE="honeydue:{key}"')
    assert of_nodes(planned, nodes_have=[f"honeydue:{key}"]) == []
    assert [entry.resource for entry in of_nodes(planned, nodes_have=["honeydue:cluster.network"])] == [
        "honeydue:cluster.network",
        f"honeydue:{key}",
    ]


@pytest.mark.parametrize("key", ["access.sshPort", "cluster.flannelBackend"])
def test_a_change_that_cuts_off_nodes_cannot_be_confirmed(key: str) -> None:
    value = 2222 if key == "access.sshPort" else "wireguard-native"
    planned = flip(example(), example({key: value}))
    assert {entry.rule for entry in of_nodes(planned, nodes_have=[f"honeydue:{key}"])} == {CONNECTED, MATCH, "check"}


def test_a_state_without_facts_is_compared_by_its_firewall_alone() -> None:
    planned = flip(example(), example({"access.sshPort": 2222, "cluster.podCidr": "10.44.0.0/16"}))
    steps = [
        entry.model_copy(update={"old": entry.old.model_copy(update={"inputs": {}})})
        if entry.old and "facts" in entry.old.inputs
        else entry
        for entry in planned.steps
    ]
    assert [entry.rule for entry in of_nodes(planned.model_copy(update={"steps": steps}))] == [CONNECTED]


def test_a_firewall_of_the_console_may_lose_what_no_node_needs() -> None:
    def rule(port: str, *sources: str) -> dict[str, Any]:
        return {"direction": "in", "protocol": "tcp", "port": port, "sourceIps": list(sources), "description": ""}

    console = [rule("22", "0.0.0.0/0"), rule("80", "0.0.0.0/0"), rule("5432", "0.0.0.0/0"), rule("any", "10.0.0.0/8")]

    def adopted(settings: Settings) -> list[Violation]:
        return of_nodes(
            plan(
                step(
                    "update",
                    FIREWALL,
                    "honeydue",
                    old={"inputs": {"rules": console}},
                    inputs={"rules": firewall(settings)},
                ),
                step("update", SERVER, "hetzner1", changed=("labels",)),
                step("update", PRIMARY_IP, "hetzner1", old={"outputs": {"ipAddress": "178.104.247.152"}}),
            )
        )

    assert adopted(example()) == []
    (cut,) = adopted(example({"access.sshPort": 2222}))
    assert cut.reason.startswith("would close tcp 22 (SSH from operators)")


def test_a_refreshed_firewall_is_read_from_its_outputs() -> None:
    """The real provider pairs the rules of the inputs by position: https://github.com/pulumi/pulumi-terraform-bridge."""
    mixed = [{**rule, "port": "22"} for rule in firewall(example())]
    firewall_step = step(
        "update",
        FIREWALL,
        "honeydue",
        old={"inputs": {"rules": mixed}, "outputs": {"rules": firewall(example({"access.sshPort": 2222}))}},
        inputs={"rules": firewall(example({"access.sshPort": 2222}))},
    )
    assert of_nodes(plan(firewall_step, step("same", SERVER, "hetzner1"))) == []
