"""k3s as each kind of node is told to start it, and what its hardening guide asks for."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.unit.told import cluster, configuration, files, server, told

OWN = {"node-name", "node-ip", "node-external-ip", "advertise-address", "tls-san"}
"""What servers of one cluster may differ in."""


def test_servers_agree_on_all_that_is_not_their_own() -> None:
    other = replace(server(), hostname="ubuntu-2", address="10.0.0.12", public_address="203.0.113.2")
    first, second = configuration(told(server())), configuration(told(other))
    assert {key for key in first.keys() | second.keys() if first.get(key) != second.get(key)} == OWN
    assert [key for key in first if key.startswith("disable")] == []


def test_an_agent_is_told_nothing_that_only_servers_take() -> None:
    document = told(replace(server(), role="agent"))
    assert set(configuration(document)) == {
        "node-name",
        "node-ip",
        "node-external-ip",
        "protect-kernel-defaults",
        "kubelet-arg",
        "kube-proxy-arg",
    }
    assert [path for path in files(document) if path.startswith("/var/lib/rancher/k3s/server")] == []


def test_on_a_private_network_nothing_of_the_cluster_leads_to_public_addresses() -> None:
    held = configuration(told(server()))
    assert (held["node-ip"], held["advertise-address"], held["node-external-ip"]) == (
        "10.0.0.11",
        "10.0.0.11",
        "203.0.113.1",
    )
    # Operators come by the public one.
    assert held["tls-san"] == ["10.0.0.11", "203.0.113.1", "ubuntu-1"]


def test_on_the_public_network_a_node_has_no_other_address() -> None:
    held = configuration(told(replace(server(), address=server().public_address)))
    assert "node-external-ip" not in held
    assert (held["node-ip"], held["tls-san"]) == ("203.0.113.1", ["203.0.113.1", "ubuntu-1"])


@pytest.mark.parametrize("encrypted", [True, False])
def test_the_clusters_facts_are_those_of_the_settings(encrypted: bool) -> None:
    settings = cluster(secretsEncryption=encrypted, podCidr="10.50.0.0/16", flannelBackend="vxlan")
    held = configuration(told(server(), settings))
    assert held["secrets-encryption"] is encrypted
    assert (held["cluster-cidr"], held["service-cidr"], held["cluster-dns"]) == (
        "10.50.0.0/16",
        "10.43.0.0/16",
        "10.43.0.10",
    )
    assert held["flannel-backend"] == "vxlan"


def test_what_the_api_server_is_pointed_to_is_there() -> None:
    document = told(server())
    written = files(document)
    arguments = dict(argument.split("=", 1) for argument in configuration(document)["kube-apiserver-arg"])
    plugins = yaml.safe_load(written[arguments["admission-control-config-file"]])["plugins"]
    assert {plugin["name"] for plugin in plugins} == {"PodSecurity", "EventRateLimit"}
    assert "EventRateLimit" in arguments["enable-admission-plugins"].split(",")
    assert yaml.safe_load(written[arguments["audit-policy-file"]])["rules"][-1] == {"level": "Metadata"}
    # k3s makes no folder for its log.
    assert f"d {Path(arguments['audit-log-path']).parent} 0700 root root\n" in written["/etc/tmpfiles.d/k3s.conf"]


def test_the_kernel_is_set_as_the_kubelet_insists() -> None:
    document = told(server())
    assert configuration(document)["protect-kernel-defaults"] is True
    held = dict(re.findall(r"^(\S+)=(\S+)$", files(document)["/etc/sysctl.d/90-kubelet.conf"], re.M))
    wanted = {"vm.panic_on_oom": "0", "vm.overcommit_memory": "1", "kernel.panic": "10", "kernel.panic_on_oops": "1"}
    assert held.items() >= wanted.items()


def test_snapshots_take_their_keys_from_the_cluster() -> None:
    """Any other option of S3 here, and k3s ignores the Secret."""
    assert {key for key in configuration(told(server())) if key.startswith("etcd-s3")} == {
        "etcd-s3",
        "etcd-s3-config-secret",
    }
