"""The world itself: what it refuses, what its kubelets do, and that it always starts and always ends."""

import shutil
import signal
import ssl
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from ops import stackfile
from rehearsal.control_plane import control_plane
from rehearsal.engine import configuration
from rehearsal.engine.installation import install
from rehearsal.errors import RehearsalError
from rehearsal.layout import CHECKOUT, Layout
from rehearsal.loopback import LOOPBACK
from rehearsal.processes import processes
from rehearsal.processes.ports import free_ports
from rehearsal.world.world import World
from tools.cache import install_folder
from tools.purposes import required_programs


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with nothing of the program in it."""
    with World(tmp_path_factory.mktemp("worlds") / "bare") as world:
        yield world


def job(name: str, tag: str) -> str:
    return textwrap.dedent(f"""
        apiVersion: batch/v1
        kind: Job
        metadata: {{name: {name}}}
        spec:
          backoffLimit: 0
          template:
            spec:
              restartPolicy: Never
              containers: [{{name: app, image: "registry.invalid/app:{tag}"}}]
        """)


def deployment(name: str, tag: str, *, claim: str | None = None) -> str:
    volumes = f"[{{name: data, persistentVolumeClaim: {{claimName: {claim}}}}}]" if claim else "[]"
    return textwrap.dedent(f"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: {{name: {name}}}
        spec:
          selector: {{matchLabels: {{app: {name}}}}}
          template:
            metadata: {{labels: {{app: {name}}}}}
            spec:
              containers: [{{name: app, image: "registry.invalid/app:{tag}"}}]
              volumes: {volumes}
        """)


CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], storageClassName: local-path, resources: {requests: {storage: 5Gi}}}
"""
PRIVILEGED = """
apiVersion: v1
kind: Namespace
metadata: {name: strict, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: Pod
metadata: {name: privileged, namespace: strict}
spec: {containers: [{name: app, image: "registry.invalid/app:1", securityContext: {privileged: true}}]}
"""


def condition(found: dict[str, Any], kind: str) -> str | None:
    return next((one["status"] for one in found["status"].get("conditions", []) if one["type"] == kind), None)


def answer(world: World, path: str, *, token: str | None = None) -> int:
    """The status of a request without a client certificate."""
    request = urllib.request.Request(f"https://{LOOPBACK}:{world.ports()['apiserver']}{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        trust = ssl.create_default_context(cafile=world.layout.pki / "server-ca.crt")
        with urllib.request.urlopen(request, context=trust, timeout=5) as reply:  # noqa: S310  # always https
            status: int = reply.status
    except urllib.error.HTTPError as error:
        status = error.code
    return status


@pytest.mark.parametrize("path", ["/api", "/healthz", "/version"])
def test_nobody_is_let_in_without_a_certificate(world: World, path: str) -> None:
    assert answer(world, path) == 401
    assert answer(world, path, token="admin") == 401


def etcd_version(world: World, client: str) -> bytes:
    trust = ssl.create_default_context(cafile=world.layout.pki / "etcd" / "server-ca.crt")
    trust.load_cert_chain(world.layout.pki / f"{client}.crt", world.layout.pki / f"{client}.key")
    with urllib.request.urlopen(
        f"https://{LOOPBACK}:{world.ports()['etcd']}/version", context=trust, timeout=5
    ) as reply:
        body: bytes = reply.read()
    return body


def test_etcd_refuses_a_certificate_of_the_cluster(world: World) -> None:
    assert b"etcdserver" in etcd_version(world, "etcd/client")
    with pytest.raises(OSError, match=r"SSL|protocol|reset"):
        etcd_version(world, "admin")


def test_everything_listens_on_loopback_alone(world: World) -> None:
    listening = [
        connection.laddr.ip
        for process in processes.running(world.layout)
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= len(control_plane.PORTS)
    assert set(listening) == {LOOPBACK}


def test_keys_are_readable_by_their_owner_alone(world: World) -> None:
    assert world.layout.folder.stat().st_mode & 0o077 == 0
    for file in [*world.layout.pki.rglob("*.key"), *world.layout.pki.glob("*.kubeconfig"), world.layout.kubeconfig]:
        assert file.stat().st_mode & 0o077 == 0, file.name


def test_nodes_are_those_of_the_settings(world: World) -> None:
    expected = {
        node.hostname: node.ipv4
        for node in configuration.read_stack_settings(CHECKOUT / "Pulumi.prod.yaml").nodes.values()
    }
    nodes = world.kubectl_json("get", "nodes")["items"]
    addresses = {
        node["metadata"]["name"]: next(
            one["address"] for one in node["status"]["addresses"] if one["type"] == "InternalIP"
        )
        for node in nodes
    }
    assert addresses == expected
    for node in nodes:
        assert condition(node, "Ready") == "True"
        assert node["metadata"]["labels"]["kubernetes.io/hostname"] == node["metadata"]["name"]
        assert node["spec"]["podCIDR"].startswith("10.42.")


def test_the_definitions_of_k3s_and_traefik_are_served(world: World) -> None:
    served = world.kubectl("api-resources", "-o", "name").split()
    assert {"helmchartconfigs.helm.cattle.io", "middlewares.traefik.io"} <= set(served)


def test_a_job_completes_fails_or_hangs_as_its_image_asks(world: World) -> None:
    world.kubectl(
        "apply",
        "-f",
        "-",
        stdin="---".join([job("good", "1"), job("bad", "bad-migration-1"), job("hanging", "hanging-migration-1")]),
    )
    world.kubectl("wait", "--for=condition=Complete", "job/good", "--timeout=20s")
    world.kubectl("wait", "--for=condition=Failed", "job/bad", "--timeout=20s")
    hanging = world.kubectl_json("get", "job", "hanging")
    assert hanging["status"]["active"] == 1
    assert condition(hanging, "Complete") is None
    (pod,) = world.kubectl_json("get", "pods", "-l", "job-name=bad")["items"]
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 1


def test_only_jobs_are_hit_by_a_bad_migration(world: World) -> None:
    world.kubectl("apply", "-f", "-", stdin=deployment("same-image", "bad-migration-1"))
    world.kubectl("rollout", "status", "deployment/same-image", "--timeout=20s")


def test_a_pod_that_is_never_ready_holds_its_rollout(world: World) -> None:
    world.kubectl("apply", "-f", "-", stdin=deployment("stuck", "never-ready-1"))
    world.kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod", "-l", "app=stuck", "--timeout=20s")
    assert world.kubectl_json("get", "deployment", "stuck")["status"].get("readyReplicas", 0) == 0


def test_a_log_is_answered_here_and_never_by_a_node_address(world: World) -> None:
    world.kubectl("apply", "-f", "-", stdin=job("logged", "1"))
    world.kubectl("wait", "--for=condition=Complete", "job/logged", "--timeout=20s")
    assert "simulated by kwok" in world.kubectl("logs", "job/logged")


def test_pod_security_refuses_a_privileged_pod(world: World) -> None:
    with pytest.raises(RehearsalError, match='violates PodSecurity "restricted'):
        world.kubectl("apply", "-f", "-", stdin=PRIVILEGED)


def test_a_claim_binds_when_its_pod_is_scheduled_and_its_volume_can_be_claimed_again(world: World) -> None:
    for _ in range(2):
        world.kubectl("apply", "-f", "-", stdin="---".join([CLAIM, deployment("store", "1", claim="data")]))
        world.kubectl("wait", "--for=jsonpath={.status.phase}=Bound", "pvc/data", "--timeout=20s")
        world.kubectl("delete", "deployment/store", "pvc/data", "--timeout=20s")
    world.kubectl("wait", "--for=jsonpath={.status.phase}=Available", "pv", "--all", "--timeout=20s")


def test_secrets_of_the_copy_are_encrypted_and_the_rest_is_productions(world: World) -> None:
    production = stackfile.load(CHECKOUT / "Pulumi.prod.yaml")["config"]
    copied = stackfile.load(world.layout.config)["config"]
    assert {key: copied[key] for key in production} == production
    assert set(copied["honeydue:postgresPassword"]) == {"secure"}
    assert world.pulumi("config", "get", "honeydue:postgresPassword").stdout.startswith("rehearsal-postgresPassword-")
    assert (
        world.pulumi("config", "get", "honeydue:kubeconfig").stdout.strip()
        == world.layout.kubeconfig.read_text().strip()
    )


def cached() -> dict[Path, int]:
    """Every built program that all worlds share, and when it was last written."""
    return {
        file: file.stat().st_mtime_ns for program in required_programs() for file in install_folder(program).iterdir()
    }


def test_a_world_never_writes_into_the_cache_of_all_worlds(world: World) -> None:
    before = cached()
    install(world.layout)
    install(world.layout)
    assert cached() == before


def project(folder: Path) -> Path:
    """A checkout of its own, as far as the world reads one."""
    folder.mkdir()
    for name in ("Pulumi.yaml", "Pulumi.prod.yaml"):
        shutil.copy(CHECKOUT / name, folder)
    return folder


def test_a_second_world_takes_other_ports_survives_being_killed_and_leaves_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = iter([dict(world.ports())])
    # First exactly the ports that the other world holds, as if it had bound them in between.
    monkeypatch.setattr(
        "rehearsal.world.existing_cluster.free_ports",
        lambda names, *, preferred: next(asked, None) or free_ports(names, preferred=preferred),
    )
    said: list[str] = []
    second = World(tmp_path / "second", project=project(tmp_path / "project"), log=said.append)
    try:
        second.up()
        ports = second.ports()
        assert not set(ports.values()) & set(world.ports().values())
        second.kubectl("create", "configmap", "kept")
        second.set_config("honeydue:images.web", "kept-too")

        for process in processes.running(second.layout):
            process.kill()
        second.up()
        assert second.is_up()
        assert second.ports() == ports
        second.kubectl("get", "configmap", "kept")
        assert stackfile.load(second.layout.config)["config"]["honeydue:images"]["web"] == "kept-too"

        stackfile.set_value(second.settings_file, "honeydue:images.api", "another")
        second.up()
        assert "applying the changed settings" in said
        assert stackfile.load(second.layout.config)["config"]["honeydue:images"]["api"] == "another"
    finally:
        assert second.down()
    assert processes.running(second.layout) == []
    assert not second.layout.folder.exists()
    assert not second.down()
    assert world.is_up()


def test_a_world_ends_with_a_starter_that_is_killed(tmp_path: Path) -> None:
    starter = textwrap.dedent(f"""
        from pathlib import Path
        from rehearsal.world.world import World
        with World(Path({str(tmp_path / "orphan")!r})):
            print("up", flush=True)
            input()
        """)
    with subprocess.Popen(
        [sys.executable, "-c", starter], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        layout = Layout(tmp_path / "orphan")
        assert len(processes.running(layout)) == len(control_plane.NAMES)
        process.send_signal(signal.SIGKILL)
    left = retry(retry=retry_if_result(bool), stop=stop_after_delay(10), wait=wait_fixed(0.05))(processes.running)
    assert left(layout) == []
