"""`make save-queue` and `make new-volume FROM=` stop what writes, copy all data, and refuse a file that lacks jobs."""

import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import pytest
from click.testing import CliRunner, Result

from ops import kubernetes
from ops.__main__ import cli
from ops.errors import OpsError
from ops.kubectl import Kubectl
from ops.queue import command, deployments, new_volume, restore, saved, scripts
from ops.queue.command import REDIS, WORKER
from ops.volume import command as volume_command
from tests.unit.test_new_volume import BOUND, CLAIM, REBUILT, FakeCluster, live, resources, volume

DATA = b"REDIS0010 data of users"
JOBS = {"default pending": 3, "default retry": 1}
SHA256 = hashlib.sha256(DATA).hexdigest()
Calls = list[str]


def deployment(name: str, *, replicas: int = 1) -> dict[str, Any]:
    container = {"name": name, "image": "redis:7", "args": ["exec redis-server"], "livenessProbe": {}}
    mounted = [{"persistentVolumeClaim": {"claimName": CLAIM}}]
    template = {"containers": [container], "volumes": mounted, "nodeSelector": {"kubernetes.io/hostname": "node-1"}}
    selector = {"matchLabels": {"app": name}}
    spec = {"replicas": replicas, "selector": selector, "template": {"spec": template}}
    return live("Deployment", name, spec=spec)


class AppCluster(FakeCluster):
    """A cluster whose Deployments have a Ready pod exactly while they are scaled to 1."""

    def __init__(self, calls: Calls, *objects: dict[str, Any], replicas: int = 1) -> None:
        super().__init__(deployment(REDIS, replicas=replicas), deployment(WORKER, replicas=replicas), *objects)
        self.calls = calls
        self.ended: list[dict[str, Any]] = []
        for item in self.objects:
            if item["kind"] == "Deployment":
                item["metadata"]["generation"] = 7

    def list(self, api_version: str, kind: str, namespace: str) -> Sequence[Any]:
        if kind != "Pod":
            return super().list(api_version, kind, namespace)
        pods = [live("Pod", f"{name}-1", ready=True, spec={}) for name in self.running()]
        for pod in pods:
            pod["metadata"]["labels"] = {"app": pod["metadata"]["name"].removesuffix("-1")}
        return [*pods, *self.ended]

    def running(self) -> Sequence[str]:
        return [
            item["metadata"]["name"]
            for item in self.objects
            if item["kind"] == "Deployment" and item["spec"]["replicas"]
        ]

    def patch(self, live: Any, operations: Any, *, manager: str | None = None) -> Any:  # noqa: ARG002
        (operation,) = operations
        self.calls.append(f"scale {live['metadata']['name']} {operation['value']}")
        live["spec"]["replicas"] = operation["value"]
        live["metadata"]["generation"] += 1
        return live

    def create(self, manifest: kubernetes.Object) -> kubernetes.Object:
        self.calls.append(f"create {manifest['metadata']['name']}")
        self.objects.append({**manifest, "status": {"phase": "Running"}})
        return manifest

    def delete(
        self,
        api_version: str,  # noqa: ARG002
        kind: str,
        live: kubernetes.Object,
        *,
        propagation: str | None = None,  # noqa: ARG002
    ) -> None:
        # redis is stopped, so that no pod uses the claim.
        self.objects = [item for item in self.objects if item["metadata"]["name"] != live["metadata"]["name"]]
        if kind == "Pod":
            self.calls.append(f"delete {live['metadata']['name']}")
        else:
            self.deleted.append(f"{kind} {live['metadata']['name']}")


class FakeKubectl(Kubectl):
    """Runs no script: records its name, and returns its output."""

    def __init__(self, calls: Calls, *, outputs: Mapping[str, str] | None = None, fails: str = "") -> None:
        self.calls, self.fails = calls, fails
        self.received = b""
        self.outputs = {"COUNT_JOBS": json.dumps(JOBS), "LOAD": json.dumps(JOBS), "SHA256": SHA256, **(outputs or {})}

    def __enter__(self) -> "FakeKubectl":
        return self

    def __exit__(self, *_: object) -> None:
        return

    def shell(
        self,
        namespace: str,  # noqa: ARG002
        pod: str,  # noqa: ARG002
        script: str,
        *,
        stdin: IO[bytes] | None = None,
        stdout: IO[bytes] | None = None,
    ) -> str:
        name = next(name for name, value in vars(scripts).items() if value == script)
        self.calls.append(name)
        if name == self.fails:
            raise OpsError("the connection ended")
        if stdin:
            self.received = stdin.read()
        if stdout:
            stdout.write(DATA)
        return self.outputs.get(name, "")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    recorded: Calls = []

    def apply(stack: str, only: str) -> int:  # noqa: ARG001
        recorded.append(f"up {only.rpartition('::')[2]}")
        return 0

    for module in (new_volume, volume_command):
        monkeypatch.setattr(module, "apply", apply)
    monkeypatch.setattr(volume_command, "state_resources", lambda _: resources())
    monkeypatch.setattr(volume_command, "refresh_resources", lambda *_: None)
    monkeypatch.setattr(kubernetes, "kubeconfig_and_context", lambda *_: ("", ""))
    monkeypatch.setattr(deployments, "STOP_SECONDS", 0.0)
    monkeypatch.setattr(restore, "START_SECONDS", 0.0)
    return recorded


def invoke(
    monkeypatch: pytest.MonkeyPatch, cluster: AppCluster, kubectl: FakeKubectl, *arguments: str, node: str = "node-1"
) -> Result:
    for module in (command, volume_command):
        monkeypatch.setattr(module, "read_settings", lambda _: {"redis": {"node": node}})
    for module in (command, new_volume):
        monkeypatch.setattr(module, "kubectl_for", lambda *_, purpose: kubectl)  # noqa: ARG005
    monkeypatch.setattr(kubernetes, "connect", lambda *_: cluster)
    return CliRunner().invoke(cli, [arguments[0], "--stack", "prod", *arguments[1:]], input="y\n")


@pytest.fixture
def saved_file(tmp_path: Path) -> Path:
    file = tmp_path / "redis.rdb"
    file.write_bytes(DATA)
    record = {"saved_at": "2026-05-01T00:00:00Z", "sha256": SHA256, "generation": 7, "jobs": JOBS}
    saved.record_file(file).write_text(json.dumps(record))
    return file


def test_writers_stop_before_the_data_is_saved(calls: Calls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file, cluster = tmp_path / "redis.rdb", AppCluster(calls)
    result = invoke(monkeypatch, cluster, FakeKubectl(calls), "save-queue", str(file))
    assert result.exit_code == 0, result.output
    copied = ["REFUSE_WRITES", "DUMP_DATA", "COUNT_JOBS", "SHA256", "DOWNLOAD"]
    assert calls == ["scale worker 0", *copied, "scale redis 0"]
    assert file.read_bytes() == DATA
    assert file.stat().st_mode & 0o077 == 0
    assert saved.read(file).generation == 8
    assert "Saved 4 jobs (default pending 3, default retry 1)" in result.output
    assert f"make new-volume STACK=prod APP=redis FROM={file}" in result.output


@pytest.mark.parametrize(
    ("kubectl", "message"),
    [
        ({"fails": "REFUSE_WRITES"}, "the connection ended"),
        ({"fails": "DOWNLOAD"}, "the connection ended"),
        ({"outputs": {"SHA256": "another"}}, "the copy is not complete"),
    ],
)
def test_worker_and_redis_continue_when_the_data_was_not_saved(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kubectl: dict[str, Any], message: str
) -> None:
    cluster = AppCluster(calls)
    result = invoke(monkeypatch, cluster, FakeKubectl(calls, **kubectl), "save-queue", str(tmp_path / "redis.rdb"))
    assert result.exit_code == 1
    assert message in result.output
    assert calls[-2:] == ["ACCEPT_WRITES", "scale worker 1"]
    assert cluster.running() == [REDIS, WORKER]
    assert list(tmp_path.iterdir()) == []


def test_nothing_stops_without_a_running_redis_or_a_file_to_write(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, saved_file: Path, tmp_path: Path
) -> None:
    stopped = AppCluster(calls, replicas=0)
    assert (
        "no pod of redis is Ready"
        in invoke(monkeypatch, stopped, FakeKubectl(calls), "save-queue", str(tmp_path / "new")).output
    )
    assert (
        f"{saved_file} exists"
        in invoke(monkeypatch, AppCluster(calls), FakeKubectl(calls), "save-queue", str(saved_file)).output
    )
    missing = tmp_path / "missing" / "redis.rdb"
    assert (
        f"{missing.parent} does not exist"
        in invoke(monkeypatch, AppCluster(calls), FakeKubectl(calls), "save-queue", str(missing)).output
    )
    assert calls == []


def new_volume_from(monkeypatch: pytest.MonkeyPatch, cluster: AppCluster, file: Path, **options: Any) -> Result:
    node = options.pop("node", "node-1")
    return invoke(
        monkeypatch, cluster, FakeKubectl(cluster.calls, **options), "new-volume", "--from", str(file), REDIS, node=node
    )


RESTORED = ["up redis-data", "create redis-restore", "UPLOAD", "SHA256", "LOAD", "delete redis-restore"]


def test_redis_starts_after_its_data_is_restored(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, saved_file: Path
) -> None:
    cluster = AppCluster(calls, BOUND, volume(), REBUILT, replicas=0)
    result = new_volume_from(monkeypatch, cluster, saved_file)
    assert result.exit_code == 0, result.output
    assert "The data of redis is in" in result.output
    assert cluster.deleted == [f"PersistentVolumeClaim {CLAIM}"]
    assert calls == [*RESTORED, "scale redis 1", "scale worker 1"]


def test_redis_moves_to_the_node_of_the_settings(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, saved_file: Path
) -> None:
    result = new_volume_from(
        monkeypatch, AppCluster(calls, BOUND, volume(), REBUILT, replicas=0), saved_file, node="node-2"
    )
    assert result.exit_code == 0, result.output
    assert calls == [*RESTORED, "scale redis 1", "up redis", "scale worker 1"]


def test_redis_stays_stopped_when_jobs_are_missing(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, saved_file: Path
) -> None:
    cluster = AppCluster(calls, BOUND, volume(), REBUILT, replicas=0)
    result = new_volume_from(monkeypatch, cluster, saved_file, outputs={"LOAD": json.dumps({"default pending": 3})})
    assert result.exit_code == 1
    assert "contains 3 jobs (default pending 3) and not the saved 4 jobs" in result.output
    assert cluster.running() == []


def test_a_file_that_lacks_later_jobs_is_refused(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, saved_file: Path
) -> None:
    cluster = AppCluster(calls, BOUND, volume(), REBUILT, replicas=0)
    deployments.start(cluster, REDIS)
    deployments.stop(cluster, REDIS)
    result = new_volume_from(monkeypatch, cluster, saved_file)
    assert result.exit_code == 1
    assert f"redis was started after {saved_file} was saved" in result.output
    assert cluster.deleted == []


def test_an_interrupted_restore_continues_with_a_claim_without_a_volume(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, saved_file: Path
) -> None:
    cluster = AppCluster(calls, live("PersistentVolumeClaim", CLAIM, spec={}), replicas=0)
    assert new_volume_from(monkeypatch, cluster, saved_file).exit_code == 0
    assert calls == [*RESTORED, "scale redis 1", "scale worker 1"]


def test_a_changed_file_is_refused(calls: Calls, monkeypatch: pytest.MonkeyPatch, saved_file: Path) -> None:
    saved_file.write_bytes(DATA[:-1])
    cluster = AppCluster(calls, BOUND, volume(), REBUILT, replicas=0)
    assert "is not complete" in new_volume_from(monkeypatch, cluster, saved_file).output
    assert calls == cluster.deleted == []


def test_the_pod_of_the_restore_is_not_part_of_redis() -> None:
    manifest = restore.pod_manifest(deployment(REDIS), "node-2")
    assert manifest["metadata"]["labels"].items().isdisjoint({"app": REDIS}.items())
    assert manifest["spec"]["nodeSelector"] == {"kubernetes.io/hostname": "node-2"}
    assert manifest["spec"]["volumes"] == deployment(REDIS)["spec"]["template"]["spec"]["volumes"]
    (container,) = manifest["spec"]["containers"]
    assert container.keys() == {"name", "image", "command"}


@pytest.mark.parametrize("name", [name for name in vars(scripts) if name.isupper() and not name.startswith("_")])
def test_a_script_is_valid_shell(name: str) -> None:
    script = getattr(scripts, name)
    if isinstance(script, str):
        subprocess.run(["/bin/sh", "-nc", script], check=True)
