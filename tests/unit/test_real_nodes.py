"""What real nodes are told, and where they are refused; what they do is in tests/real."""

import os
import platform
from pathlib import Path

import pytest

from infra.cluster.traefik import chart_values
from rehearsal.control_plane import nodes
from rehearsal.engine.configuration import read_stack_settings
from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout
from rehearsal.processes import cgroups, processes
from rehearsal.real_nodes import addons, cluster, node_config, traefik_daemonset
from rehearsal.real_nodes.machine import Machine
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
    ("patched", "value", "said"),
    [
        ((platform, "system"), lambda: "Darwin", "need Linux"),
        ((os, "geteuid"), lambda: 1000, "need root"),
        ((cluster, "TOOLS"), ("no-such-tool",), "need no-such-tool of util-linux"),
    ],
)
def test_where_they_cannot_be_one_line_says_so_and_what_else_to_do(
    patched: tuple[object, str], value: object, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(*patched, value)
    with pytest.raises(RehearsalError, match=f"{said}.*NODES=kwok") as refused:
        World(tmp_path / "world").choose_nodes(real_nodes=True)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "world").exists()


def test_they_are_no_founders() -> None:
    with pytest.raises(RehearsalError, match=r"honeydue:cluster\.initNode"):
        cluster.check_requirements(bootstrapped=True)


def test_groups_of_either_version_are_found() -> None:
    assert cgroups.hierarchies(V1) == [Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup/memory")]
    assert cgroups.hierarchies(V2) == [Path("/sys/fs/cgroup")]


def test_a_worlds_group_is_its_own_and_the_same_for_whoever_ends_it(tmp_path: Path) -> None:
    one, other = Layout(tmp_path / "one"), Layout(tmp_path / "other")
    assert cgroups.name_of(one) == cgroups.name_of(Layout(tmp_path / "one")) != cgroups.name_of(other)


def test_each_node_has_its_address_and_a_range_of_its_own() -> None:
    stack = read_stack_settings(EXAMPLE / "Pulumi.prod.yaml")
    given = [*stack.nodes.values()]
    ranges = [str(own) for own in node_config.pod_ranges(stack.network.pod_cidr, len(given))]
    assert ranges == ["10.42.0.0/24", "10.42.1.0/24", "10.42.2.0/24"]


def test_their_volumes_are_of_the_kind_whose_owner_no_kubelet_changes() -> None:
    node = nodes.Node(hostname="one", ipv4="192.0.2.1", server_type="cx33", location="nbg1", pod_cidr="10.42.0.0/24")
    machine, *volumes = nodes.real_node_manifests([node])
    assert machine["spec"]["podCIDR"] == "10.42.0.0/24"
    assert "capacity" not in machine["status"]
    assert [volume["spec"]["hostPath"]["path"] for volume in volumes] == nodes.volume_paths("one", [node], [])
    assert not any("local" in volume["spec"] for volume in volumes)


def test_their_dns_knows_what_is_outside_and_asks_nobody() -> None:
    told = addons.corefile({"db.example": "198.18.0.2"})
    assert "198.18.0.2 db.example" in told
    assert "forward" not in told


def test_traefik_runs_as_its_chart_would_run_it() -> None:
    values = chart_values(trusted=["192.0.2.0/24"])
    *_, daemons = traefik_daemonset.manifests(values)
    pod = daemons["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert daemons["kind"] == values["deployment"]["kind"]  # type: ignore[index]  # the values are a tree without types
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


def test_a_machine_that_is_off_takes_no_command(tmp_path: Path) -> None:
    with pytest.raises(RehearsalError, match="node absent is off"):
        Machine(layout=Layout(tmp_path), hostname="absent").run("true")
    assert not any(group.exists() for group in cgroups.of_node(Layout(tmp_path), "absent"))


def test_what_has_to_be_fetched_is_fetched_before_the_world_is_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_reach(name: str) -> Path:
        raise ToolsError(f"{name} could not be fetched")

    monkeypatch.setattr(debian, "root_filesystem", out_of_reach)
    before = Path("/proc/thread-self/ns/net").readlink()
    with pytest.raises(ToolsError, match="could not be fetched"):
        cluster.enter_network(Layout(tmp_path))
    assert Path("/proc/thread-self/ns/net").readlink() == before
    assert processes.running(Layout(tmp_path)) == []
