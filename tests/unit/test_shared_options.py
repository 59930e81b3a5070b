"""The options of k3s that all servers must share: in the settings, on a new server, and as an adoption reads them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from pydantic import JsonValue

from infra.settings.shared_options import configuration, response_fields, shared_options
from infra.settings.topology import ClusterSettings
from ops.adoption.server_options import UNSUPPORTED, changed_settings, parse, server_options
from ops.errors import OpsError
from ops.kubernetes import Cluster
from rehearsal.control_plane.nodes import configuration_annotations
from rehearsal.errors import RehearsalError
from rehearsal.machines.bootstrap import compare_critical_options
from rehearsal.machines.config import Config
from tests.unit.cloud_configs import cloud_config, cluster, files, k3s_config, server
from tests.unit.machine import CreateNode, K3s, Peer

DOCUMENTED = {
    *("agent-token", "cluster-cidr", "cluster-dns", "cluster-domain", "disable-cloud-controller"),
    *("disable-helm-controller", "disable-network-policy", "disable", "egress-selector-mode", "embedded-registry"),
    *("flannel-backend", "flannel-external-ip", "flannel-ipv6-masq", "secrets-encryption"),
    *("secrets-encryption-provider", "service-cidr"),
}
"""https://docs.k3s.io/cli/server#critical-configuration-values"""
ONLY_IN_SOURCE = {"supervisor-metrics", "flannel-ip-masq-disable-random-fully"}
"""The other fields of `CriticalControlArgs`."""
RUNNING = {
    "cluster-cidr": "10.42.0.0/16",
    "service-cidr": "10.43.0.0/16",
    "cluster-dns": "10.43.0.10",
    "cluster-domain": "k3s.internal",
    "disable": ["metrics-server", "servicelb"],
    "disable-cloud-controller": True,
    "egress-selector-mode": "disabled",
    "embedded-registry": True,
    "secrets-encryption": True,
    "secrets-encryption-provider": "secretbox",
    "flannel-backend": "wireguard-native",
    "supervisor-metrics": True,
}
"""The options of running servers, which differ from the defaults."""
DECLARED: Mapping[str, JsonValue] = {
    "k3sVersion": "v1.34.6+k3s1",
    "podCidr": "10.42.0.0/16",
    "serviceCidr": "10.43.0.0/16",
    "clusterDns": "10.43.0.10",
    "network": "public",
    "flannelBackend": "vxlan",
    "secretsEncryption": False,
    "disableServiceLb": False,
}
"""`honeydue:cluster` of a cluster that was installed without options."""


class Nodes:
    """A cluster with these Nodes."""

    def __init__(self, annotations: Mapping[str, Mapping[str, str]]) -> None:
        self._nodes = [{"metadata": {"name": name, "annotations": entry}} for name, entry in annotations.items()]

    def nodes(self) -> Sequence[Mapping[str, Any]]:
        return self._nodes


def settings_of(*servers: Mapping[str, object], declared: Mapping[str, JsonValue] = DECLARED) -> Mapping[str, object]:
    """The settings that an adoption changes when the servers run with these options."""
    nodes = {f"ubuntu-{number}": configuration_annotations(options) for number, options in enumerate(servers, 1)}
    return changed_settings(server_options(cast(Cluster, Nodes(nodes))), dict(declared))


def test_every_critical_option_of_k3s_is_a_setting_or_refused() -> None:
    names = {option.name for option in shared_options(ClusterSettings).values()}
    assert names | (UNSUPPORTED.keys() - {"agent-token-file"}) == DOCUMENTED | ONLY_IN_SOURCE
    assert names & UNSUPPORTED.keys() == set()


def test_the_page_lists_every_critical_option(request: pytest.FixtureRequest) -> None:
    page = (request.config.rootpath / "docs/nodes.md").read_text()
    settings = [ClusterSettings.model_fields[field].alias for field in shared_options(ClusterSettings)]
    for name in [*(DOCUMENTED | ONLY_IN_SOURCE) - {"disable"}, "disable: servicelb", *settings]:
        assert f"`{name}`" in page


def test_the_options_of_the_settings_are_in_the_configuration_of_a_server() -> None:
    settings = cluster(clusterDomain="k3s.internal", disableServiceLb=False, egressSelectorMode="pod")
    config = k3s_config(cloud_config(server(), settings))
    assert config.items() >= configuration(settings).items()
    assert (config["cluster-domain"], config["disable"], config["egress-selector-mode"]) == ("k3s.internal", [], "pod")
    assert config["embedded-registry"] is False


@pytest.mark.parametrize("settings", [cluster(), cluster(clusterDomain="other.internal", supervisorMetrics=True)])
def test_a_replaced_server_joins_servers_with_other_options(
    create_node: CreateNode, k3s_cluster: K3s, k3s_peers: Sequence[Peer], settings: ClusterSettings
) -> None:
    peer = Config(RUNNING)
    node = create_node()
    written = files(cloud_config(server(), settings))
    node.write("etc/rancher/k3s/config.yaml", written["/etc/rancher/k3s/config.yaml"])
    with pytest.raises(RehearsalError, match="critical configuration value mismatch"):
        compare_critical_options(Config.read(node.root).critical, peer.critical)
    with k3s_peers[0].serve(replace(k3s_cluster, config=json.dumps(peer.critical).encode())):
        assert node.run("k3s-role") == 0
    joining = Config.read(node.root).critical
    # What the settings must state, because the program depends on it.
    fixed = {"EncryptSecrets", "FlannelBackend"}
    compare_critical_options({name: value for name, value in joining.items() if name not in fixed}, peer.critical)


@pytest.mark.parametrize("option", [name for name in RUNNING if name != "cluster-dns"])
def test_k3s_refuses_a_server_that_differs_in_one_option(option: str) -> None:
    other = {"disable": [], "service-cidr": "10.44.0.0/16", "cluster-cidr": "10.45.0.0/16"}.get(option, "other")
    changed = {**RUNNING, option: False if RUNNING[option] is True else other}
    with pytest.raises(RehearsalError, match="critical configuration value mismatch between servers: "):
        compare_critical_options(Config(changed).critical, Config(RUNNING).critical)


def test_a_node_knows_the_option_of_each_field() -> None:
    environment = files(cloud_config(server()))["/etc/honeydue/node.env"]
    (line,) = [line for line in environment.splitlines() if line.startswith("NODE_SHARED_OPTIONS=")]
    options = json.loads(line.partition("=")[2].strip("'"))
    assert options == response_fields(ClusterSettings)
    assert (options["DisableServiceLB"], options["ClusterDomain"]) == ("disable=servicelb", "cluster-domain")
    # Fields that a server of the rehearsal returns.
    assert options.keys() <= Config(RUNNING).critical.keys()


def test_an_adoption_reads_the_options_of_the_running_servers() -> None:
    assert settings_of(RUNNING, RUNNING) == {
        "clusterDomain": "k3s.internal",
        "disableServiceLb": True,
        "disableCloudController": True,
        "egressSelectorMode": "disabled",
        "embeddedRegistry": True,
        "secretsEncryption": True,
        "secretsEncryptionProvider": "secretbox",
        "flannelBackend": "wireguard-native",
        "supervisorMetrics": True,
    }


def test_servers_without_options_have_the_defaults_of_k3s() -> None:
    assert settings_of({}, {"token": "secret", "cluster-init": True}) == {}
    bootstrapped = {key: value for key, value in DECLARED.items() if key not in ("flannelBackend", "disableServiceLb")}
    assert settings_of({}, declared=bootstrapped) == {"flannelBackend": "vxlan", "disableServiceLb": False}
    # The address of the DNS Service follows from the CIDR.
    assert settings_of({"service-cidr": "10.50.0.0/16"}) == {"serviceCidr": "10.50.0.0/16", "clusterDns": "10.50.0.10"}


def test_nodes_without_the_annotation_and_agents_are_left_out() -> None:
    nodes = {"kwok": {}, "agent": {"k3s.io/node-args": '["agent","--cluster-domain","x"]'}}
    assert server_options(cast(Cluster, Nodes(nodes))) == {}
    assert changed_settings({}, dict(DECLARED)) == {}


def test_the_annotation_is_written_and_read_as_k3s_writes_it() -> None:
    recorded = configuration_annotations({"token": "secret", "secrets-encryption": True, "disable": ["a", "b"]})
    assert recorded["k3s.io/node-args"] == (
        '["server","--token","********","--secrets-encryption","true","--disable","a","--disable","b"]'
    )
    arguments = ["--disable", "traefik, servicelb", "--embedded-registry", "--kubelet-arg", "a=b", "--disable", "x"]
    assert parse(arguments) == {
        "disable": ["traefik, servicelb", "x"],
        "embedded-registry": ["true"],
        "kubelet-arg": ["a=b"],
    }
    assert changed_settings({"ubuntu-1": parse(arguments)}, dict(DECLARED)) == {
        "disableServiceLb": True,
        "embeddedRegistry": True,
    }


@pytest.mark.parametrize(
    ("servers", "message"),
    [
        ([{}, {"disable": ["servicelb"]}], "k3s on ubuntu-2 and ubuntu-1 has different values of disable"),
        ([{"disable-network-policy": True}], "option disable-network-policy: the program's network policies need"),
        ([{"agent-token": "secret"}], "k3s on ubuntu-1 has the option agent-token: a new server would need"),
        (
            [{"flannel-backend": "host-gw"}],
            "k3s on ubuntu-1 has an option that the program does not support: honeydue:cluster.flannelBackend holds "
            "'host-gw': 'vxlan' or 'wireguard-native' was expected",
        ),
        ([{"cluster-cidr": "10.42.0.0/16,fd00::/56"}], "honeydue:cluster.podCidr holds '10.42.0.0/16,fd00::/56': "),
    ],
)
def test_options_that_a_new_server_cannot_have_stop_the_adoption(
    servers: Sequence[Mapping[str, object]], message: str
) -> None:
    with pytest.raises(OpsError) as error:
        settings_of(*servers)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_option_that_is_turned_off_is_no_obstacle() -> None:
    assert settings_of({"disable-network-policy": False}) == {}
