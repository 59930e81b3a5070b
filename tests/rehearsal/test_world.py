"""The world: authentication, simulated kubelets, and that it starts and stops in every case."""

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
from rehearsal.traefik import helm_controller
from rehearsal.world import clouds
from rehearsal.world.world import World
from tests.rehearsal.manifests import PRIVILEGED_POD, VOLUME_CLAIM, deployment, job
from tools.cache import install_folder
from tools.purposes import required_programs


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which the program is not applied."""
    with World(tmp_path_factory.mktemp("worlds") / "world") as world:
        yield world


def condition(manifest: dict[str, Any], type_: str) -> str | None:
    """The status of a condition: "True", "False" or "Unknown"; None if the object does not have it."""
    conditions = manifest["status"].get("conditions", [])
    return next((condition["status"] for condition in conditions if condition["type"] == type_), None)


def status_without_certificate(world: World, path: str, *, token: str | None = None) -> int:
    """The HTTP status of a request to the API server without a client certificate."""
    request = urllib.request.Request(f"https://{LOOPBACK}:{world.ports()['apiserver']}{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        tls = ssl.create_default_context(cafile=world.layout.pki / "server-ca.crt")
        with urllib.request.urlopen(request, context=tls, timeout=5) as response:  # noqa: S310  # always https
            status: int = response.status
    except urllib.error.HTTPError as error:
        status = error.code
    return status


@pytest.mark.parametrize("path", ["/api", "/healthz", "/version"])
def test_requests_without_a_client_certificate_are_refused(world: World, path: str) -> None:
    assert status_without_certificate(world, path) == 401
    assert status_without_certificate(world, path, token="admin") == 401


def etcd_version(world: World, client: str) -> bytes:
    tls = ssl.create_default_context(cafile=world.layout.pki / "etcd" / "server-ca.crt")
    tls.load_cert_chain(world.layout.pki / f"{client}.crt", world.layout.pki / f"{client}.key")
    with urllib.request.urlopen(
        f"https://{LOOPBACK}:{world.ports()['etcd']}/version", context=tls, timeout=5
    ) as response:
        body: bytes = response.read()
    return body


def test_etcd_refuses_a_client_certificate_of_the_cluster_ca(world: World) -> None:
    assert b"etcdserver" in etcd_version(world, "etcd/client")
    with pytest.raises(OSError, match=r"SSL|protocol|reset"):
        etcd_version(world, "admin")


def test_all_processes_listen_on_loopback_only(world: World) -> None:
    addresses = [
        connection.laddr.ip
        for process in processes.running(world.layout)
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(addresses) >= len(control_plane.PORTS)
    assert set(addresses) == {LOOPBACK}


def test_only_the_owner_can_read_keys(world: World) -> None:
    assert world.layout.folder.stat().st_mode & 0o077 == 0
    for file in [*world.layout.pki.rglob("*.key"), *world.layout.pki.glob("*.kubeconfig"), world.layout.kubeconfig]:
        assert file.stat().st_mode & 0o077 == 0, file.name


def test_the_nodes_have_the_names_and_addresses_of_the_settings(world: World) -> None:
    expected = {
        node.hostname: node.ipv4
        for node in configuration.read_stack_settings(CHECKOUT / "Pulumi.prod.yaml").nodes.values()
    }
    nodes = world.kubectl_json("get", "nodes")["items"]
    addresses = {
        node["metadata"]["name"]: next(
            address["address"] for address in node["status"]["addresses"] if address["type"] == "InternalIP"
        )
        for node in nodes
    }
    assert addresses == expected
    for node in nodes:
        assert condition(node, "Ready") == "True"
        assert node["metadata"]["labels"]["kubernetes.io/hostname"] == node["metadata"]["name"]
        assert node["spec"]["podCIDR"].startswith("10.42.")


def test_the_custom_resources_of_k3s_and_traefik_are_served(world: World) -> None:
    served = world.kubectl("api-resources", "-o", "name").split()
    assert {"helmchartconfigs.helm.cattle.io", "middlewares.traefik.io"} <= set(served)
    snapshots = world.kubectl_json("get", "etcdsnapshotfiles.k3s.cattle.io")["items"]
    nodes = [node["metadata"]["name"] for node in world.kubectl_json("get", "nodes")["items"]]
    assert sorted(snapshot["spec"]["nodeName"] for snapshot in snapshots) == sorted(nodes)
    assert all(snapshot["status"]["readyToUse"] for snapshot in snapshots)


def test_the_image_tag_decides_whether_a_job_completes_fails_or_hangs(world: World) -> None:
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


def test_a_deployment_with_the_image_of_a_failing_job_rolls_out(world: World) -> None:
    world.kubectl("apply", "-f", "-", stdin=deployment("same-image", "bad-migration-1"))
    world.kubectl("rollout", "status", "deployment/same-image", "--timeout=20s")


def test_a_pod_that_is_never_ready_blocks_its_rollout(world: World) -> None:
    world.kubectl("apply", "-f", "-", stdin=deployment("stuck", "never-ready-1"))
    world.kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod", "-l", "app=stuck", "--timeout=20s")
    assert world.kubectl_json("get", "deployment", "stuck")["status"].get("readyReplicas", 0) == 0


def test_kwok_serves_the_log_of_a_pod(world: World) -> None:
    world.kubectl("apply", "-f", "-", stdin=job("logged", "1"))
    world.kubectl("wait", "--for=condition=Complete", "job/logged", "--timeout=20s")
    assert "simulated by kwok" in world.kubectl("logs", "job/logged")


def test_pod_security_refuses_a_privileged_pod(world: World) -> None:
    with pytest.raises(RehearsalError, match='violates PodSecurity "restricted'):
        world.kubectl("apply", "-f", "-", stdin=PRIVILEGED_POD)


def test_a_volume_claim_is_bound_when_its_pod_is_scheduled_and_its_volume_is_reusable(world: World) -> None:
    for _ in range(2):
        world.kubectl("apply", "-f", "-", stdin="---".join([VOLUME_CLAIM, deployment("store", "1", claim="data")]))
        world.kubectl("wait", "--for=jsonpath={.status.phase}=Bound", "pvc/data", "--timeout=20s")
        world.kubectl("delete", "deployment/store", "pvc/data", "--timeout=20s")
    world.kubectl("wait", "--for=jsonpath={.status.phase}=Available", "pv", "--all", "--timeout=20s")


def test_the_copied_settings_equal_those_of_production_except_for_encrypted_secrets(world: World) -> None:
    production = stackfile.load(CHECKOUT / "Pulumi.prod.yaml")["config"]
    copy = stackfile.load(world.layout.config)["config"]
    assert {key: copy[key] for key in production} == production
    assert set(copy["honeydue:postgresPassword"]) == {"secure"}
    assert world.pulumi("config", "get", "honeydue:postgresPassword").stdout.startswith("rehearsal-postgresPassword-")
    assert (
        world.pulumi("config", "get", "honeydue:kubeconfig").stdout.strip()
        == world.layout.kubeconfig.read_text().strip()
    )


def cached_files() -> dict[Path, int]:
    """Every file in the shared cache of programs, with its time of modification."""
    return {
        file: file.stat().st_mtime_ns for program in required_programs() for file in install_folder(program).iterdir()
    }


def test_a_world_does_not_write_to_the_shared_cache(world: World) -> None:
    before = cached_files()
    install(world.layout)
    install(world.layout)
    assert cached_files() == before


def project(folder: Path) -> Path:
    """The files of a checkout that a world reads."""
    folder.mkdir()
    for name in ("Pulumi.yaml", "Pulumi.prod.yaml"):
        shutil.copy(CHECKOUT / name, folder)
    return folder


def test_a_second_world_has_other_ports_restarts_after_a_kill_and_is_removed_by_down(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_choice = iter([dict(world.ports())])
    # The first choice are the ports of the other world, as if it had bound them after the choice.
    monkeypatch.setattr(
        "rehearsal.world.existing_cluster.free_ports",
        lambda names, *, preferred: next(first_choice, None) or free_ports(names, preferred=preferred),
    )
    messages: list[str] = []
    second = World(tmp_path / "second", project=project(tmp_path / "project"), log=messages.append)
    try:
        second.up()
        ports = second.ports()
        assert not set(ports.values()) & set(world.ports().values())
        second.kubectl("create", "configmap", "persistent")
        second.set_config("honeydue:images.web", "changed-tag")

        for process in processes.running(second.layout):
            process.kill()
        second.up()
        assert second.is_up()
        assert second.ports() == ports
        second.kubectl("get", "configmap", "persistent")
        assert stackfile.load(second.layout.config)["config"]["honeydue:images"]["web"] == "changed-tag"

        stackfile.set_value(second.settings_file, "honeydue:images.api", "another")
        second.up()
        assert "applying the changed settings" in messages
        assert stackfile.load(second.layout.config)["config"]["honeydue:images"]["api"] == "another"
    finally:
        assert second.down()
    assert processes.running(second.layout) == []
    assert not second.layout.folder.exists()
    assert not second.down()
    assert world.is_up()


def test_a_world_is_stopped_when_its_owner_is_killed(tmp_path: Path) -> None:
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
        assert len(processes.running(layout)) == len({*control_plane.NAMES, clouds.NAME, helm_controller.PROGRAM})
        process.send_signal(signal.SIGKILL)
    remaining = retry(retry=retry_if_result(bool), stop=stop_after_delay(10), wait=wait_fixed(0.05))(processes.running)
    assert remaining(layout) == []
