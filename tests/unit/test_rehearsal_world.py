"""The parts of a world that need no process: certificates, ports, folders, the look at it, the command line."""

import socket
import ssl
import subprocess
import sys
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from cryptography import x509
from rich.console import Console

from ops.errors import OpsError
from rehearsal import pki
from rehearsal.cli import commands, status, summary
from rehearsal.control_plane import control_plane, nodes
from rehearsal.errors import RehearsalError
from rehearsal.layout import COMMAND, Layout, Record, world_layout, world_version
from rehearsal.loopback import LOOPBACK
from rehearsal.processes import processes
from rehearsal.processes.ports import free_ports
from rehearsal.world.world import World


def test_a_certificate_is_trusted_for_its_hosts_by_its_own_authority_alone(tmp_path: Path) -> None:
    cluster, other = (
        pki.CertificateAuthority.create(tmp_path, "ca"),
        pki.CertificateAuthority.create(tmp_path, "etcd-ca"),
    )
    issued = cluster.issue(
        tmp_path, "server", common_name="server", organization="group", hosts=[LOOPBACK, "localhost"]
    )
    certificate = x509.load_pem_x509_certificate(issued.certificate.read_bytes())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(cluster.files.certificate.read_bytes()))
    with pytest.raises(ValueError, match="does not match certificate issuer"):
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(other.files.certificate.read_bytes()))
    assert issued.key.stat().st_mode & 0o077 == 0
    assert ssl.create_default_context(cafile=cluster.files.certificate).cert_store_stats()["x509_ca"] == 1


def test_a_kubeconfig_stands_alone(tmp_path: Path) -> None:
    authority = pki.CertificateAuthority.create(tmp_path, "ca")
    client = authority.issue(tmp_path, "admin", common_name="admin")
    content = yaml.safe_load(
        pki.kubeconfig(server="https://127.0.0.1:1", ca=authority.files, client=client, context="production")
    )
    assert content["current-context"] == content["contexts"][0]["name"] == "production"
    assert str(tmp_path) not in str(content)
    assert "insecure-skip-tls-verify" not in str(content)


def test_ports_are_distinct_and_the_last_ones_again_where_they_are_free() -> None:
    ports = free_ports(control_plane.PORTS)
    assert set(ports) == set(control_plane.PORTS)
    assert len(set(ports.values())) == len(ports)
    assert free_ports(control_plane.PORTS, preferred=ports) == ports


def test_a_port_in_use_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.processes.ports.RELEASE_SECONDS", 0.1)
    with ExitStack() as held:
        taken = held.enter_context(socket.create_server((LOOPBACK, 0)))
        port = taken.getsockname()[1]
        assert free_ports(control_plane.PORTS, preferred={"apiserver": port})["apiserver"] != port


def test_nodes_have_what_k3s_gives_them() -> None:
    node = nodes.Node(hostname="ubuntu-8gb-nbg1-2", ipv4="178.104.247.152", server_type="cx33", location="nbg1")
    machine, *volumes = nodes.kwok_manifests([node], kubelet_version="v1.34.4")
    assert machine["metadata"]["name"] == machine["metadata"]["labels"]["kubernetes.io/hostname"] == "ubuntu-8gb-nbg1-2"
    assert machine["metadata"]["labels"]["node.kubernetes.io/instance-type"] == "k3s"
    assert machine["metadata"]["labels"]["topology.kubernetes.io/zone"] == "nbg1"
    assert machine["status"]["allocatable"] == {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "80Gi", "pods": "110"}
    assert len(volumes) == nodes.VOLUMES_PER_NODE


def test_a_record_of_another_version_is_none(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    record = Record(version=world_version(), ports={"apiserver": 1}, settings_digest="")
    layout.write_record(record)
    assert layout.read_record() == record
    layout.write_record(Record(version="older", ports={}, settings_digest=""))
    assert layout.read_record() is None
    (tmp_path / "world.json").write_text("{")
    assert layout.read_record() is None


def test_only_a_world_is_ever_removed(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "home.txt").write_text("dear")
    with pytest.raises(RehearsalError, match="is not the folder of a world"):
        World(tmp_path / "letters").down()
    assert (tmp_path / "letters" / "home.txt").exists()


@pytest.mark.parametrize("name", ["../other", "", "a/b", "."])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(RehearsalError, match="not a valid world name"):
        world_layout(name)


def test_processes_are_known_by_their_mark_and_others_left_alone(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make_folders()
    sleeper = [sys.executable, "-c", "import sys; print('on', flush=True); sys.stdin.read()"]
    with subprocess.Popen(sleeper, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        with subprocess.Popen(
            sleeper, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=processes.world_environment(layout)
        ) as ours:
            for one in (other, ours):
                # Only once it runs does it have an environment of its own.
                assert one.stdout is not None
                assert one.stdout.readline() == b"on\n"
            assert [process.pid for process in processes.running(layout)] == [ours.pid]
            assert processes.stop(layout) == 1
            assert processes.stop(layout) == 0
        assert other.poll() is None
        other.kill()


def test_workloads_and_jobs_are_read_as_kubernetes_tells_them() -> None:
    template = {"spec": {"containers": [{"image": "registry.example/admin/honeydue-api:12b2f9d"}]}}
    found = {
        "kind": "Deployment",
        "metadata": {"namespace": "honeydue", "name": "api"},
        "spec": {"replicas": 3, "template": template},
    }
    assert status.workload_status({**found, "status": {"readyReplicas": 2}}) == status.WorkloadStatus(
        namespace="honeydue", name="api", ready=2, desired=3, images=("honeydue-api:12b2f9d",)
    )
    assert status.workload_status(found).ready == 0
    times = {"startTime": "2026-04-24T10:00:00Z", "completionTime": "2026-04-24T10:00:03Z"}
    ended = {"metadata": found["metadata"], "status": {**times, "conditions": [{"type": "Complete", "status": "True"}]}}
    assert status.job_status(ended) == status.JobStatus(
        namespace="honeydue", name="api", state="complete", duration=timedelta(seconds=3)
    )
    assert status.job_status({"metadata": found["metadata"], "status": {}}).state == "running"


def test_an_autoscaled_workload_wants_what_its_autoscaler_leaves_it() -> None:
    api: dict[str, Any] = {"kind": "Deployment", "metadata": {"namespace": "honeydue", "name": "api"}}
    autoscaler: dict[str, Any] = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"namespace": "honeydue", "name": "api"},
        "spec": {"minReplicas": 3, "scaleTargetRef": {"name": "api"}},
    }
    elsewhere = {
        **autoscaler,
        "metadata": {"namespace": "other", "name": "api"},
        "spec": {**autoscaler["spec"], "minReplicas": 9},
    }
    assert status.min_replicas(api, [api, autoscaler, elsewhere]) == 3
    assert status.min_replicas({**api, "metadata": {**api["metadata"], "name": "web"}}, [api, autoscaler]) == 0


def test_the_summary_says_what_a_person_asks_first() -> None:
    look = status.WorldStatus(
        nodes=[
            status.NodeStatus(
                alias="hetzner1",
                hostname="ubuntu-8gb-nbg1-2",
                address="178.104.247.152",
                server_type="cx33",
                ready=True,
            )
        ],
        workloads=[
            status.WorkloadStatus(
                namespace="honeydue", name="api", ready=3, desired=3, images=("honeydue-api:12b2f9d",)
            )
        ],
        jobs=[
            status.JobStatus(namespace="honeydue", name="migrate-1", state="complete", duration=timedelta(seconds=2))
        ],
        outputs={
            "urls": {"api": "https://api.myhoneydue.com"},
            "kubeconfig": "[secret]",
            "cloudflareRanges": ["a", "b"],
        },
        resources=82,
    )
    console = Console(width=140, record=True, quiet=False, file=None)
    with console.capture() as printed:
        console.print(summary.summary(look, steps=[summary.Step(name="preview", seconds=3.2)], world_option=""))
    said = printed.get()
    for words in (
        "hetzner1",
        "178.104.247.152",
        "3/3",
        "2 s",
        "https://api.myhoneydue.com",
        "[secret]",
        "2 entries",
        "82",
        "make rehearse-down",
    ):
        assert words in said


@pytest.mark.parametrize("arguments", [["status"], ["pulumi", "preview"], ["kubectl", "get", "pods"], ["env"]])
def test_without_a_world_a_command_says_how_to_start_one(arguments: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(commands.cli, arguments, env={"HONEYDUE_WORLD": str(tmp_path / "absent")})
    assert done.exit_code == 1
    assert f"world absent is not up: {COMMAND} --world absent up" in done.output
    assert "Traceback" not in done.output


def test_an_error_in_the_settings_is_a_message_and_not_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def invalid(_: World) -> bool:
        raise OpsError("Pulumi.prod.yaml is not valid")

    monkeypatch.setattr(World, "is_up", invalid)
    result = CliRunner().invoke(commands.cli, ["status"])
    assert result.exit_code == 1
    assert result.output == "rehearsal: Pulumi.prod.yaml is not valid\n"
