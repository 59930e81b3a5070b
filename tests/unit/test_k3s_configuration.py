"""The configuration of k3s on each kind of node, and the requirements of its hardening guide."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import yaml

from tests.unit.cloud_configs import cloud_config, cluster, files, k3s_config, server

NODE_SPECIFIC = {"node-name", "node-ip", "node-external-ip", "advertise-address", "tls-san"}
"""The settings in which servers of a cluster may differ."""


def test_servers_differ_only_in_node_specific_settings() -> None:
    other = replace(server(), hostname="ubuntu-2", address="10.0.0.12", public_address="203.0.113.2")
    first, second = k3s_config(cloud_config(server())), k3s_config(cloud_config(other))
    assert {key for key in first.keys() | second.keys() if first.get(key) != second.get(key)} == NODE_SPECIFIC
    disabled = {key: value for key, value in first.items() if key.startswith("disable")}
    assert disabled == {"disable": ["servicelb"], "disable-cloud-controller": False}


def test_an_agent_has_no_settings_of_servers() -> None:
    document = cloud_config(replace(server(), role="agent"))
    assert set(k3s_config(document)) == {
        "node-name",
        "node-ip",
        "node-external-ip",
        "protect-kernel-defaults",
        "kubelet-arg",
        "kube-proxy-arg",
    }
    assert [path for path in files(document) if path.startswith("/var/lib/rancher/k3s/server")] == []


def test_on_a_private_network_the_cluster_uses_private_addresses() -> None:
    config = k3s_config(cloud_config(server()))
    assert (config["node-ip"], config["advertise-address"], config["node-external-ip"]) == (
        "10.0.0.11",
        "10.0.0.11",
        "203.0.113.1",
    )
    # Operators connect to the public address.
    assert config["tls-san"] == ["10.0.0.11", "203.0.113.1", "ubuntu-1"]


def test_on_the_public_network_a_node_has_only_its_public_address() -> None:
    config = k3s_config(cloud_config(replace(server(), address=server().public_address)))
    assert "node-external-ip" not in config
    assert (config["node-ip"], config["tls-san"]) == ("203.0.113.1", ["203.0.113.1", "ubuntu-1"])


@pytest.mark.parametrize("encrypted", [True, False])
def test_encryption_cidrs_and_backend_are_those_of_the_settings(encrypted: bool) -> None:
    settings = cluster(secretsEncryption=encrypted, podCidr="10.50.0.0/16", flannelBackend="vxlan")
    config = k3s_config(cloud_config(server(), settings))
    assert config["secrets-encryption"] is encrypted
    assert (config["cluster-cidr"], config["service-cidr"], config["cluster-dns"]) == (
        "10.50.0.0/16",
        "10.43.0.0/16",
        "10.43.0.10",
    )
    assert config["flannel-backend"] == "vxlan"


def test_the_files_that_the_api_server_uses_are_written() -> None:
    document = cloud_config(server())
    written = files(document)
    arguments = dict(argument.split("=", 1) for argument in k3s_config(document)["kube-apiserver-arg"])
    plugins = yaml.safe_load(written[arguments["admission-control-config-file"]])["plugins"]
    assert {plugin["name"] for plugin in plugins} == {"PodSecurity", "EventRateLimit"}
    assert arguments["enable-admission-plugins"].split(",") == [
        "NodeRestriction",
        "EventRateLimit",
        "DenyServiceExternalIPs",
    ]
    assert yaml.safe_load(written[arguments["audit-policy-file"]])["rules"][-1] == {"level": "Metadata"}
    # k3s does not create the folder of the audit log.
    assert f"d {Path(arguments['audit-log-path']).parent} 0700 root root\n" in written["/etc/tmpfiles.d/k3s.conf"]


@pytest.mark.parametrize("role", ["server", "agent"])
def test_pods_get_the_seccomp_profile_of_the_container_runtime(role: Literal["server", "agent"]) -> None:
    assert "seccomp-default=true" in k3s_config(cloud_config(replace(server(), role=role)))["kubelet-arg"]


def test_kernel_parameters_are_those_that_the_kubelet_requires() -> None:
    document = cloud_config(server())
    assert k3s_config(document)["protect-kernel-defaults"] is True
    parameters = dict(re.findall(r"^(\S+)=(\S+)$", files(document)["/etc/sysctl.d/90-kubelet.conf"], re.M))
    required = {"vm.panic_on_oom": "0", "vm.overcommit_memory": "1", "kernel.panic": "10", "kernel.panic_on_oops": "1"}
    assert parameters.items() >= required.items()


def test_snapshots_are_configured_only_by_the_secret() -> None:
    """k3s ignores the Secret if the configuration file has any other S3 option."""
    assert {key for key in k3s_config(cloud_config(server())) if key.startswith("etcd-s3")} == {
        "etcd-s3",
        "etcd-s3-config-secret",
    }
