"""`make new-volume` begins again with an empty volume, only when the data is lost, and keeps state and settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from ops import kubernetes
from ops.__main__ import cli
from ops.errors import OpsError
from ops.plan import State
from ops.resource_types import CLAIM as CLAIM_TYPE
from ops.resource_types import DEPLOYMENT
from ops.volume import command
from ops.volume.loss import Storage, reason_of_loss
from tests.unit.plans import state, urn

NODE, VOLUME, CLAIM = "node-1", "pvc-1", "redis-data"
PATH = f"/var/lib/rancher/k3s/storage/{VOLUME}_honeydue_{CLAIM}"
BEFORE, AFTER = "2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z"
MISSING = f'MountVolume.NewMounter initialization failed for volume "{VOLUME}" : path "{PATH}" does not exist'
"""The kubelet's message, as `tests/real/test_node_loss.py` receives it."""


def live(kind: str, name: str, *, ready: bool = False, created: str = BEFORE, **content: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": str(ready)}]
    metadata = {"name": name, "namespace": "honeydue", "uid": f"uid-{name}", "creationTimestamp": created}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "status": {"conditions": conditions}, **content}


def volume(source: str = "local") -> dict[str, Any]:
    hostname = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [hostname]}]}}
    return live("PersistentVolume", VOLUME, spec={source: {"path": PATH}, "nodeAffinity": affinity})


def pod(*, ready: bool = False) -> dict[str, Any]:
    return live(
        "Pod",
        "redis-1",
        ready=ready,
        spec={"volumes": [{"persistentVolumeClaim": {"claimName": CLAIM}}, {"name": "x"}]},
    )


def event(message: str = MISSING, uid: str = "uid-redis-1") -> dict[str, Any]:
    return live("Event", "event", reason="FailedMount", involvedObject={"uid": uid}, message=message)


BOUND = live("PersistentVolumeClaim", CLAIM, spec={"volumeName": VOLUME})
REBUILT = live("Node", NODE, ready=True, created=AFTER)


def storage(**changes: Any) -> Storage:
    """That of a node that was rebuilt."""
    parts: dict[str, Any] = {"claim": BOUND, "volume": volume(), "node": REBUILT, "pods": [pod()], "events": [event()]}
    return Storage(app="redis", **(parts | changes))


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (storage(), f"the new disk of node {NODE} does not have the folder of volume {VOLUME}"),
        (storage(node=None), f"node {NODE}, whose disk had volume {VOLUME}, no longer exists"),
        (storage(volume=None, node=None), f"its volume {VOLUME} no longer exists"),
        (storage(claim=None, volume=None, node=None, pods=[], events=[]), "its claim no longer exists"),
        # k3s created volumes of this type until it selected `local`. The kubelet creates a missing folder for root.
        (storage(volume=volume("hostPath"), events=[]), f"node {NODE} was replaced after volume {VOLUME} was created"),
    ],
)
def test_lost_data_is_detected(case: Storage, reason: str) -> None:
    assert reason_of_loss(case) == reason


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (storage(pods=[pod(ready=True)], events=[]), f"redis runs on node {NODE} with its data"),
        (storage(node=live("Node", NODE)), f"is not Ready, and its disk may still have the data.*delete node {NODE}"),
        (storage(events=[]), "may have the data: its kubelet has not reported"),
        (storage(events=[event(uid="uid-of-an-earlier-pod")]), "may have the data"),
        (storage(events=[event(MISSING.replace(PATH, "/another"))]), "may have the data"),
        (storage(volume=volume("hostPath"), node=live("Node", NODE, ready=True), events=[]), "may have the data"),
        (storage(claim=live("PersistentVolumeClaim", CLAIM, spec={})), "has no volume yet"),
    ],
)
def test_data_that_exists_or_may_return_is_kept(case: Storage, message: str) -> None:
    with pytest.raises(OpsError, match=message):
        reason_of_loss(case)


def test_a_volume_outside_of_the_nodes_is_not_lost_with_a_node() -> None:
    with pytest.raises(OpsError, match="is not on the disk of one node"):
        reason_of_loss(storage(volume=live("PersistentVolume", VOLUME, spec={"nfs": {}}), node=None))


class FakeCluster(kubernetes.Cluster):
    """Objects by kind. The claim stays as long as a pod uses it."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        super().__init__(None, "")
        self.objects = list(objects)
        self.deleted: list[str] = []

    def __enter__(self) -> "FakeCluster":
        return self

    def __exit__(self, *_: object) -> None:
        return

    def get(self, api_version: str, kind: str, namespace: str | None, name: str) -> kubernetes.Object | None:  # noqa: ARG002
        return next((item for item in self.objects if (item["kind"], item["metadata"]["name"]) == (kind, name)), None)

    def list(self, api_version: str, kind: str, namespace: str) -> Sequence[kubernetes.Object]:  # noqa: ARG002
        listed = [item for item in self.objects if item["kind"] == kind]
        # As the API server returns the items of a list.
        return [{key: item[key] for key in item if key not in {"apiVersion", "kind"}} for item in listed]

    def delete(
        self,
        api_version: str,  # noqa: ARG002
        kind: str,
        live: kubernetes.Object,
        *,
        propagation: str | None = None,  # noqa: ARG002
    ) -> None:
        self.deleted.append(f"{kind} {live['metadata']['name']}")
        terminating = {"PersistentVolumeClaim", "Pod"} if kind == "Pod" else set()
        self.objects = [item for item in self.objects if item["kind"] not in terminating]


def resources(claim: str = CLAIM) -> list[State]:
    spec = {"template": {"spec": {"volumes": [{"persistentVolumeClaim": {"claimName": claim}}, {"name": "other"}]}}}
    described = [
        state(DEPLOYMENT, "redis", inputs={"metadata": {"name": "redis"}, "spec": spec}),
        state(DEPLOYMENT, "api", inputs={"metadata": {"name": "api"}}),
        state(CLAIM_TYPE, "redis-data", inputs={"metadata": {"name": claim}}),
    ]
    return [State.model_validate(resource) for resource in described]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The engine's operations: the claim is removed from the state first, and created afterwards."""
    recorded: list[tuple[str, str]] = []
    monkeypatch.setattr(command, "state_resources", lambda stack: resources())  # noqa: ARG005
    monkeypatch.setattr(command, "refresh_resources", lambda stack, urns: recorded.append(("refresh", *urns)))  # noqa: ARG005

    def apply(stack: str, only: str) -> int:  # noqa: ARG001
        recorded.append(("up", only))
        return 0

    monkeypatch.setattr(command, "apply", apply)
    return recorded


def run(
    cluster: FakeCluster,
    monkeypatch: pytest.MonkeyPatch,
    *arguments: str,
    adopted: Mapping[str, Any] | None = None,
    answer: str = "y\n",
) -> Result:
    monkeypatch.setattr(command, "read_settings", lambda stack: {"adopted": adopted or {}})  # noqa: ARG005
    monkeypatch.setattr(kubernetes, "connect", lambda stack, settings: cluster)  # noqa: ARG005
    return CliRunner().invoke(cli, ["new-volume", "--stack", "prod", *(arguments or ("redis",))], input=answer)


ENGINE = [("refresh", urn(CLAIM_TYPE, "redis-data")), ("up", urn(CLAIM_TYPE, "redis-data"))]


def test_claim_and_pod_are_deleted_and_the_engine_creates_the_claim(
    calls: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FakeCluster(BOUND, volume(), REBUILT, pod(), event())
    result = run(cluster, monkeypatch)
    assert result.exit_code == 0, result.output
    assert cluster.deleted == [f"PersistentVolumeClaim {CLAIM}", "Pod redis-1"]
    assert calls == ENGINE
    assert "kubectl -n honeydue rollout status deployment/redis" in result.output


def test_an_adopted_claim_no_longer_names_the_lost_volume(
    calls: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    adopted = {"volumes": {"redis": {"claim": CLAIM, "storageClass": "local-path", "storage": "5Gi", "volume": VOLUME}}}
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(yaml.safe_dump({"config": {"honeydue:adopted": adopted}}))
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(file))
    assert run(FakeCluster(BOUND, volume(), REBUILT, pod(), event()), monkeypatch, adopted=adopted).exit_code == 0
    redis = yaml.safe_load(file.read_text())["config"]["honeydue:adopted"]["volumes"]["redis"]
    assert redis == {"claim": CLAIM, "storageClass": "local-path", "storage": "5Gi"}
    assert calls == ENGINE


def test_an_interrupted_command_continues_when_the_claim_is_gone(
    calls: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FakeCluster(REBUILT)
    assert run(cluster, monkeypatch).exit_code == 0
    assert (cluster.deleted, calls) == ([], ENGINE)


@pytest.mark.parametrize(
    ("cluster", "entered", "expected"),
    [
        (
            FakeCluster(BOUND, volume(), REBUILT, pod(ready=True)),
            ("redis", "y\n"),
            (1, "runs on node node-1 with its data"),
        ),
        (
            FakeCluster(BOUND, volume(), REBUILT, pod(), event()),
            ("redis", "n\n"),
            (0, "Declined. Nothing was applied."),
        ),
        (FakeCluster(BOUND, volume(), REBUILT, pod(), event()), ("api", "y\n"), (1, "no claim of an app named api")),
    ],
)
def test_nothing_changes_without_a_loss_or_a_confirmation(
    cluster: FakeCluster,
    entered: tuple[str, str],
    expected: tuple[int, str],
    calls: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (app, answer), (exit_code, message) = entered, expected
    result = run(cluster, monkeypatch, app, answer=answer)
    assert result.exit_code == exit_code
    assert message in result.output
    assert (cluster.deleted, calls) == ([], [])


def test_existing_data_is_deleted_only_on_request(
    calls: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FakeCluster(BOUND, volume(), REBUILT, pod(ready=True))
    assert "make new-volume STACK=prod APP=redis DISCARD_DATA=1" in run(cluster, monkeypatch).output
    assert "will be deleted" in run(cluster, monkeypatch, "redis", "--discard-data").output
    assert calls == ENGINE


def test_a_node_that_may_return_keeps_its_data_even_on_request(
    calls: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FakeCluster(BOUND, volume(), live("Node", NODE), pod())
    assert "is not Ready" in run(cluster, monkeypatch, "redis", "--discard-data").output
    assert (cluster.deleted, calls) == ([], [])


def test_a_claim_that_stays_in_use_is_an_error_with_the_pods(
    calls: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FakeCluster(BOUND, volume(), pod())
    monkeypatch.setattr(cluster, "delete", lambda *_: None)
    monkeypatch.setattr(command, "DELETION_SECONDS", 0.0)
    result = run(cluster, monkeypatch)
    assert result.exit_code == 1
    assert "still exists after 0 minutes, because pods use it: redis-1" in result.output
    assert calls == []
