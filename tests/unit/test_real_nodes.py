"""Real nodes: their requirements, configuration and manifests. tests/real runs them."""

import os
import platform
from pathlib import Path

import pytest

from infra.cluster.traefik_values import chart_values
from rehearsal.control_plane import nodes
from rehearsal.control_plane.flags import ControlPlaneConfig
from rehearsal.engine.configuration import read_stack_settings
from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout
from rehearsal.processes import cgroups, processes
from rehearsal.real_nodes import addons, api_proxy, cluster, network, node_config
from rehearsal.real_nodes.cluster_config import external_database
from rehearsal.real_nodes.machine import Machine
from rehearsal.traefik import daemonset
from rehearsal.world.world import World
from tests.recipes import EXAMPLE
from tools import debian
from tools.errors import ToolsError

V1 = """\
cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
"""
V2 = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev 0 0\n"


@pytest.mark.parametrize(
    ("patched", "value", "message"),
    [
        ((platform, "system"), lambda: "Darwin", "need Linux"),
        ((os, "geteuid"), lambda: 1000, "need root"),
        ((cluster, "TOOLS"), ("no-such-tool",), "need no-such-tool of util-linux"),
    ],
)
def test_a_missing_requirement_is_one_line_with_the_alternative(
    patched: tuple[object, str], value: object, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(*patched, value)
    with pytest.raises(RehearsalError, match=f"{message}.*NODES=kwok") as error:
        World(tmp_path / "world").choose_nodes(real_nodes=True)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "world").exists()


def test_real_nodes_do_not_support_a_bootstrapped_cluster() -> None:
    with pytest.raises(RehearsalError, match=r"honeydue:cluster\.initNode"):
        cluster.check_requirements(bootstrapped=True)


def test_cgroups_of_both_versions_are_found() -> None:
    assert cgroups.hierarchies(V1) == [Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup/memory")]
    assert cgroups.hierarchies(V2) == [Path("/sys/fs/cgroup")]


def test_every_world_has_its_own_cgroup_with_a_stable_name(tmp_path: Path) -> None:
    first, second = Layout(tmp_path / "first"), Layout(tmp_path / "second")
    assert cgroups.name_of(first) == cgroups.name_of(Layout(tmp_path / "first")) != cgroups.name_of(second)


def test_every_node_has_its_own_pod_range() -> None:
    stack = read_stack_settings(EXAMPLE / "Pulumi.prod.yaml")
    stack_nodes = [*stack.nodes.values()]
    ranges = [str(pod_range) for pod_range in node_config.pod_ranges(stack.network.pod_cidr, len(stack_nodes))]
    assert ranges == ["10.42.0.0/24", "10.42.1.0/24", "10.42.2.0/24"]


def test_volumes_of_real_nodes_are_local_as_those_of_k3s() -> None:
    node = nodes.Node(hostname="first", ipv4="192.0.2.1", server_type="cx33", location="nbg1", pod_cidr="10.42.0.0/24")
    machine, *volumes = nodes.real_node_manifests([node])
    assert machine["spec"]["podCIDR"] == "10.42.0.0/24"
    assert "capacity" not in machine["status"]
    paths = {volume["metadata"]["name"]: volume["spec"]["local"]["path"] for volume in volumes}
    assert paths == nodes.volume_paths("first", [node], [])
    assert not any("hostPath" in volume["spec"] for volume in volumes)


def test_coredns_resolves_external_hosts_without_forwarding() -> None:
    corefile = addons.corefile({"db.example": "198.18.0.2"})
    assert "198.18.0.2 db.example" in corefile
    assert "prometheus :9153" in corefile
    assert "forward" not in corefile


def test_pods_reach_the_control_plane_at_the_address_of_their_own_node(tmp_path: Path) -> None:
    stack = read_stack_settings(EXAMPLE / "Pulumi.prod.yaml")
    config = cluster.ClusterConfig(
        network=stack.network,
        dns=stack.cluster_dns,
        nodes=[*stack.nodes.values()],
        database=external_database(Layout(tmp_path), stack),
        images=[],
    )
    service, endpoints = api_proxy.manifests(config.node_configs(), cluster_ip=stack.network.apiserver_cluster_ip)
    assert service["spec"]["clusterIP"] == stack.network.apiserver_cluster_ip
    # The endpoint of a lost node remains, but only pods on that node use it.
    assert service["spec"]["internalTrafficPolicy"] == "Local"
    assert {endpoint["nodeName"]: endpoint["addresses"] for endpoint in endpoints["endpoints"]} == {
        node.hostname: [node.ipv4] for node in stack.nodes.values()
    }
    real_nodes = cluster.RealNodes(Layout(tmp_path), config)
    control_plane = real_nodes.control_plane_config(
        ControlPlaneConfig(
            etcd_name="etcd",
            address="127.0.0.1",
            ports={"apiserver": 1234},
            pki=tmp_path,
            etcd_data=tmp_path,
            work_folder=tmp_path,
            network=stack.network,
        )
    )
    assert set(control_plane.tls_sans) == {node.ipv4 for node in stack.nodes.values()}
    first = config.node_configs()[0]
    _, api, metrics = api_proxy.command(first, control_plane)
    assert api == f"{first.address}:6443={network.ROUTER}:1234"
    assert metrics == f"{first.address}:2381={network.ROUTER}:2381"


def test_the_traefik_daemonset_has_the_values_of_the_chart() -> None:
    values = chart_values(trusted=["192.0.2.0/24"])
    *_, daemon_set = daemonset.manifests(values)
    pod = daemon_set["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert daemon_set["kind"] == values["deployment"]["kind"]  # type: ignore[index]  # the values are untyped
    assert (pod["hostNetwork"], pod["securityContext"]) == (True, values["podSecurityContext"])
    assert {"--entryPoints.websecure.address=:443/tcp", "--entryPoints.traefik.address=127.0.0.1:8080/tcp"} <= set(
        container["args"]
    )
    assert container["readinessProbe"]["httpGet"] == {
        "host": "127.0.0.1",
        "path": "/ping",
        "port": 8080,
        "scheme": "HTTP",
    }
    assert (container["resources"], container["securityContext"]) == (values["resources"], values["securityContext"])
    assert not any(port["containerPort"] == 80 for port in container["ports"])


def test_a_command_on_a_node_that_is_off_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RehearsalError, match="node absent is off"):
        Machine(layout=Layout(tmp_path), hostname="absent").run("true")
    assert not any(group.exists() for group in cgroups.of_node(Layout(tmp_path), "absent"))


def test_files_are_downloaded_before_the_network_namespace_is_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(name: str) -> Path:
        raise ToolsError(f"{name} could not be fetched")

    monkeypatch.setattr(debian, "root_filesystem", unavailable)
    before = Path("/proc/thread-self/ns/net").readlink()
    with pytest.raises(ToolsError, match="could not be fetched"):
        cluster.enter_network(Layout(tmp_path))
    assert Path("/proc/thread-self/ns/net").readlink() == before
    assert processes.running(Layout(tmp_path)) == []
