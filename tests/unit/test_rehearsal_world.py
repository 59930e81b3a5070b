"""The parts of a world that need no process: certificates, ports, folders, its status, the command line."""

import re
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


def test_a_certificate_is_issued_by_its_own_ca_only(tmp_path: Path) -> None:
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


def test_a_kubeconfig_refers_to_no_file(tmp_path: Path) -> None:
    ca = pki.CertificateAuthority.create(tmp_path, "ca")
    client = ca.issue(tmp_path, "admin", common_name="admin")
    content = yaml.safe_load(
        pki.kubeconfig(server="https://127.0.0.1:1", ca=ca.files, client=client, context="production")
    )
    assert content["current-context"] == content["contexts"][0]["name"] == "production"
    assert str(tmp_path) not in str(content)
    assert "insecure-skip-tls-verify" not in str(content)


def test_ports_are_distinct_and_preferred_ports_are_used_if_free() -> None:
    ports = free_ports(control_plane.PORTS)
    assert set(ports) == set(control_plane.PORTS)
    assert len(set(ports.values())) == len(ports)
    assert free_ports(control_plane.PORTS, preferred=ports) == ports


def test_a_preferred_port_in_use_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.processes.ports.RELEASE_SECONDS", 0.1)
    with ExitStack() as stack:
        used = stack.enter_context(socket.create_server((LOOPBACK, 0)))
        port = used.getsockname()[1]
        assert free_ports(control_plane.PORTS, preferred={"apiserver": port})["apiserver"] != port


def test_nodes_have_the_labels_and_capacity_of_k3s() -> None:
    node = nodes.Node(hostname="ubuntu-8gb-nbg1-2", ipv4="178.104.247.152", server_type="cx33", location="nbg1")
    machine, *volumes = nodes.kwok_manifests([node], kubelet_version="v1.34.4")
    assert machine["metadata"]["name"] == machine["metadata"]["labels"]["kubernetes.io/hostname"] == "ubuntu-8gb-nbg1-2"
    assert machine["metadata"]["labels"]["node.kubernetes.io/instance-type"] == "k3s"
    assert machine["metadata"]["labels"]["topology.kubernetes.io/zone"] == "nbg1"
    assert machine["status"]["allocatable"] == {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "80Gi", "pods": "110"}
    assert len(volumes) == nodes.VOLUMES_PER_NODE


def test_a_record_of_another_version_is_ignored(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    record = Record(version=world_version(), ports={"apiserver": 1}, settings_digest="")
    layout.write_record(record)
    assert layout.read_record() == record
    layout.write_record(Record(version="older", ports={}, settings_digest=""))
    assert layout.read_record() is None
    (tmp_path / "world.json").write_text("{")
    assert layout.read_record() is None


def test_a_folder_without_a_world_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "file.txt").write_text("text")
    with pytest.raises(RehearsalError, match="is not the folder of a world"):
        World(tmp_path / "documents").down()
    assert (tmp_path / "documents" / "file.txt").exists()


@pytest.mark.parametrize("name", ["../other", "", "a/b", "."])
def test_a_path_is_no_valid_world_name(name: str) -> None:
    with pytest.raises(RehearsalError, match="not a valid world name"):
        world_layout(name)


def test_only_processes_with_the_mark_of_the_world_are_stopped(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make_folders()
    sleeper = [sys.executable, "-c", "import sys; print('on', flush=True); sys.stdin.read()"]
    with subprocess.Popen(sleeper, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        with subprocess.Popen(
            sleeper, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=processes.world_environment(layout)
        ) as world_process:
            for process in (other, world_process):
                # A process has its own environment only after it has started to run.
                assert process.stdout is not None
                assert process.stdout.readline() == b"on\n"
            assert [process.pid for process in processes.running(layout)] == [world_process.pid]
            assert processes.stop(layout) == 1
            assert processes.stop(layout) == 0
        assert other.poll() is None
        other.kill()


def test_the_status_of_workloads_and_jobs_is_read_from_their_objects() -> None:
    template = {"spec": {"containers": [{"image": "registry.example/admin/honeydue-api:12b2f9d"}]}}
    deployment = {
        "kind": "Deployment",
        "metadata": {"namespace": "honeydue", "name": "api"},
        "spec": {"replicas": 3, "template": template},
    }
    assert status.workload_status({**deployment, "status": {"readyReplicas": 2}}) == status.WorkloadStatus(
        namespace="honeydue", name="api", ready=2, desired=3, images=("honeydue-api:12b2f9d",)
    )
    assert status.workload_status(deployment).ready == 0
    times = {"startTime": "2026-04-24T10:00:00Z", "completionTime": "2026-04-24T10:00:03Z"}
    completed_job = {
        "metadata": deployment["metadata"],
        "status": {**times, "conditions": [{"type": "Complete", "status": "True"}]},
    }
    assert status.job_status(completed_job) == status.JobStatus(
        namespace="honeydue", name="api", state="complete", duration=timedelta(seconds=3)
    )
    assert status.job_status({"metadata": deployment["metadata"], "status": {}}).state == "running"


def test_an_autoscaled_workload_needs_the_minimum_of_its_autoscaler() -> None:
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


def test_the_summary_has_nodes_workloads_outputs_and_the_next_command() -> None:
    world_status = status.WorldStatus(
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
            "urls": {"api": "https://api.myhoneydue.com", "apex": "https://myhoneydue.com"},
            "kubeconfig": "[secret]",
            "cloudflareRanges": ["a", "b"],
        },
        resources=82,
    )
    console = Console(width=140, record=True, quiet=False, file=None)
    with console.capture() as printed:
        console.print(summary.summary(world_status, steps=[summary.Step(name="preview", seconds=3.2)], world_option=""))
    text = printed.get()
    for part in (
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
        assert part in text
    # `pulumi stack output urls` has both: the engine knows no output `apex`.
    assert re.search(r"^ *urls +api +https://api\.myhoneydue\.com *$", text, re.M)
    assert re.search(r"^ +apex +https://myhoneydue\.com *$", text, re.M)


@pytest.mark.parametrize("arguments", [["status"], ["pulumi", "preview"], ["kubectl", "get", "pods"], ["shell"]])
def test_without_a_world_a_command_fails_with_the_command_that_starts_one(arguments: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(commands.cli, arguments, env={"HONEYDUE_WORLD": str(tmp_path / "absent")})
    assert result.exit_code == 1
    assert f"world absent is not up: {COMMAND} --world absent up" in result.output
    assert "Traceback" not in result.output


def test_an_error_in_the_settings_is_a_message_and_not_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def invalid(_: World) -> bool:
        raise OpsError("Pulumi.prod.yaml is not valid")

    monkeypatch.setattr(World, "is_up", invalid)
    result = CliRunner().invoke(commands.cli, ["pulumi", "about"])
    assert result.exit_code == 1
    assert result.output == "rehearsal: Pulumi.prod.yaml is not valid\n"
