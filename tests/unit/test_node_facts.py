"""Settings that state a fact about existing nodes: which ones they are, and that no other one ends in user data."""

import re
from collections.abc import Mapping
from dataclasses import asdict

import pytest

from infra.machines.cloud_init import user_data
from infra.machines.node_config import NodeConfig
from infra.settings.model import Model
from infra.settings.node_facts import NodeFacts, node_facts
from infra.settings.schema import Settings
from infra.settings.topology import Access, ClusterSettings, Node
from ops.resource_types import SERVERS
from tests.recipes import ROOT
from tests.unit.capture import Capture
from tests.unit.flips import PRIVATE, example
from tests.unit.placeholders import TOKEN

UPGRADES = {"window": {"start": "02:00", "end": "05:00", "timeZone": "Europe/Berlin"}}
OTHER_VALUES: Mapping[type[Model], tuple[str, Mapping[str, object]]] = {
    Node: (
        "nodes.hetzner3",
        {
            "hostname": "other",
            "role": "agent",
            "ipv4": "203.0.113.9",
            "privateIpv4": "10.0.0.99",
            "serverType": "cx43",
            "location": "fsn1",
            "image": "ubuntu-26.04",
        },
    ),
    Access: ("access", {"sshPort": 2222, "operators": ["203.0.113.0/24"]}),
    ClusterSettings: (
        "cluster",
        {
            "context": "other",
            "initNode": "hetzner1",
            "k3sVersion": "v1.35.1+k3s1",
            "k3sSha256": "0" * 64,
            "podCidr": "10.44.0.0/16",
            "serviceCidr": "10.43.0.0/17",
            "clusterDns": "10.43.0.11",
            "network": "public",
            "privateRange": "10.0.0.0/16",
            "flannelBackend": "wireguard-native",
            "secretsEncryption": True,
            "clusterDomain": "k3s.internal",
            "disableCloudController": True,
            "disableServiceLb": True,
            "egressSelectorMode": "pod",
            "embeddedRegistry": True,
            "flannelExternalIp": True,
            "flannelIpMasqDisableRandomFully": True,
            "flannelIpv6Masq": True,
            "secretsEncryptionProvider": "secretbox",
            "supervisorMetrics": True,
            "etcdExposeMetrics": False,
        },
    ),
}
"""Another valid value of each setting of the nodes, by the model and its path."""
CHANGEABLE = {
    "access.operators",
    "cluster.context",
    "cluster.k3sSha256",
    "nodes.hetzner3.ipv4",
    "nodes.hetzner3.serverType",
}
"""Settings that an `up` can change on a running cluster."""
ONLY_FOR_NEW_NODES = {"cluster.k3sSha256"}
"""Settings in user data that a running node does not need."""


def settings_keys() -> list[tuple[str, object]]:
    return [(f"{path}.{key}", value) for path, values in OTHER_VALUES.values() for key, value in values.items()]


def created_with(settings: Settings) -> Mapping[str, object]:
    """What the servers are created with, without what another node's address may change."""
    public = settings.cluster.network == "public"
    return {
        alias: (
            user_data(
                NodeConfig(
                    hostname=node.hostname,
                    role=node.role,
                    address=str("198.51.100.1" if public else node.private_ipv4),
                    public_address="198.51.100.1",
                    peers=[],
                    cluster_init=alias == settings.cluster.init_node,
                    join_token=TOKEN,
                    ca_files={},
                ),
                cluster=settings.cluster,
                access=settings.access,
            ),
            node.image,
            node.location,
        )
        for alias, node in settings.nodes.items()
    }


def test_every_setting_of_the_nodes_has_another_value_here() -> None:
    for model, (_, values) in OTHER_VALUES.items():
        assert {field.alias for field in model.model_fields.values()} == set(values)


@pytest.mark.parametrize(("key", "value"), settings_keys())
def test_a_setting_that_a_server_is_created_with_is_a_fact(key: str, value: object) -> None:
    network = {} if key == "cluster.flannelExternalIp" else PRIVATE
    private = example(network)
    changed = example({**network, "prices.servers.cx43": 12.0, key: value})
    assert (node_facts(changed) != node_facts(private)) == (key not in CHANGEABLE)
    if key not in ONLY_FOR_NEW_NODES | {"cluster.initNode"}:
        assert created_with(changed) == created_with(private) or node_facts(changed) != node_facts(private)


def test_private_addresses_are_no_facts_on_the_public_network() -> None:
    prepared = example({"nodes.hetzner1.privateIpv4": "10.0.0.11", "cluster.privateRange": "10.0.0.0/16"})
    assert node_facts(prepared) == node_facts(example())


def test_the_version_of_k3s_is_a_fact_only_without_the_upgrade_controller() -> None:
    def facts(upgrades: Mapping[str, object] | None) -> NodeFacts:
        return node_facts(example({"upgrades": upgrades}))

    assert facts(None).nodes["hetzner1"]["cluster.k3sVersion"] == "v1.34.6+k3s1"
    assert "cluster.k3sVersion" in facts({**UPGRADES, "reboots": ["mon"]}).nodes["hetzner1"]
    assert "cluster.k3sVersion" not in facts({**UPGRADES, "k3s": ["sun"]}).nodes["hetzner1"]


def test_the_init_node_may_be_another_one_later() -> None:
    first, other = (example({"cluster.initNode": alias}) for alias in ("hetzner1", "hetzner2"))
    assert node_facts(first) == node_facts(other) != node_facts(example())


def test_the_program_records_the_facts_in_the_state(program: Capture) -> None:
    (component,) = [entry for entry in program.registrations if entry.type == SERVERS]
    recorded = component.inputs["facts"]
    assert set(recorded) == set(asdict(node_facts(example())))
    assert set(recorded["nodes"]) == set(program.settings["honeydue:nodes"])
    assert recorded["fixed"]["cluster.podCidr"] == program.settings["honeydue:cluster"]["podCidr"]


def test_the_page_lists_every_fact() -> None:
    facts = node_facts(example(PRIVATE))
    keys = {*facts.fixed, *facts.manual, *(key for node in facts.nodes.values() for key in node)}
    names = {re.sub(r"nodes\.\w+", "nodes.ALIAS", key) for key in keys}
    page = (ROOT / "docs/guard-rails.md").read_text()
    assert {name for name in names if f"`{name}`" not in page} == set()
