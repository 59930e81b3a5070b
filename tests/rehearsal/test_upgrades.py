"""Upgrades with a real API server: the plan is stored, and every node can be drained while api keeps serving."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rehearsal.errors import RehearsalError
from rehearsal.world.world import World
from tests.rehearsal.cluster import APP, NAMESPACE, items
from tests.rehearsal.templates import EVERY_OPTION
from tests.retry import eventually

DRAIN = ("--ignore-daemonsets", "--delete-emptydir-data")
DRAIN_SECONDS = 240
"""For two minutes, Kubernetes counts an evicted pod of a StatefulSet as disrupted if its successor, which has the same
name, exists so soon that the disruption controller never sees it missing (DeletionTimeout in its disruption.go)."""
"""The options of the upgrade plan and of kured. Neither forces deletions nor ignores disruption budgets."""
MINIMUM_READY = 2
"""Ready pods of api: three replicas, of which the disruption budget allows one to be evicted."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with EVERY_OPTION.clone(tmp_path_factory.mktemp("worlds") / "upgrades") as world:
        yield world


def nodes(world: World) -> list[str]:
    return [node["metadata"]["name"] for node in world.kubectl_json("get", "nodes")["items"]]


def is_ready(pod: Mapping[str, Any]) -> bool:
    ready = any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in pod["status"].get("conditions", [])
    )
    return ready and "deletionTimestamp" not in pod["metadata"]


def ready_pods(world: World, app: str) -> frozenset[str]:
    """UIDs of the ready pods of an app."""
    return frozenset(pod["metadata"]["uid"] for pod in items(world, "pods", app) if is_ready(pod))


def wait_until_ready(world: World) -> None:
    """Waits until all replicas of every app are ready."""

    def all_replicas_are_ready() -> None:
        for deployment in items(world, "deployments"):
            name = deployment["metadata"]["name"]
            assert len(ready_pods(world, name)) == deployment["spec"]["replicas"], name

    eventually(all_replicas_are_ready, seconds=60)


@contextmanager
def recorded_events(world: World, app: str, record: Path) -> Iterator[None]:
    """Records the watch events of an app's pods while the block runs."""
    arguments = ["get", "pods", "-n", NAMESPACE, "-l", f"{APP}={app}", "--watch", "--output-watch-events", "-o", "json"]
    with (
        record.open("w") as output,
        subprocess.Popen(world.kubectl_client().command(*arguments), stdout=output) as watch,
    ):
        try:
            _wait_until_current(world, app, record)
            yield
            _wait_until_current(world, app, record)
        finally:
            watch.terminate()


def _wait_until_current(world: World, app: str, record: Path) -> None:
    def record_is_current() -> None:
        assert [frozenset(), *history(record)][-1] == ready_pods(world, app)

    eventually(record_is_current, seconds=60)


def history(record: Path) -> Iterator[frozenset[str]]:
    """The ready pods after each event. The watch first reports the existing pods one after the other."""
    events = record.read_text()
    ready: set[str] = set()
    position = 0
    while (position := events.find("{", position)) >= 0:
        try:
            event, position = json.JSONDecoder().raw_decode(events, position)
        except json.JSONDecodeError:
            return  # the last event is not complete yet
        pod = event["object"]
        if event["type"] != "DELETED" and is_ready(pod):
            ready.add(pod["metadata"]["uid"])
        else:
            ready.discard(pod["metadata"]["uid"])
        yield frozenset(ready)


def test_a_second_up_changes_nothing(world: World) -> None:
    world.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_the_upgrade_plan_is_stored_and_selects_every_node(world: World) -> None:
    plans = world.kubectl_json("get", "plans.upgrade.cattle.io", "-n", "cattle-system")["items"]
    assert [plan["metadata"]["name"] for plan in plans] == ["k3s-servers"]
    spec = plans[0]["spec"]
    assert (spec["concurrency"], spec["version"]) == (1, "v1.34.6+k3s1")
    assert spec["window"] == {"days": ["sun"], "startTime": "02:00", "endTime": "05:00", "timeZone": "Europe/Berlin"}
    selected = world.kubectl_json("get", "nodes", "-l", "node-role.kubernetes.io/control-plane")["items"]
    assert len(selected) == len(nodes(world))


def test_a_definition_that_the_controller_has_updated_is_no_drift(world: World) -> None:
    definition = world.kubectl_json("get", "customresourcedefinition", "plans.upgrade.cattle.io")
    version = definition["spec"]["versions"][0]
    version["additionalPrinterColumns"] = [{"name": "Version", "type": "string", "jsonPath": ".spec.version"}]
    version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"] = {
        "concurrency": {"type": "integer", "format": "int64"}
    }
    # The controller replaces the whole object with an update.
    definition["metadata"] = {key: definition["metadata"][key] for key in ("name", "resourceVersion")}
    world.kubectl("replace", "-f", "-", stdin=json.dumps(definition))
    world.pulumi("up", "--yes", "--skip-preview", "--refresh", "--expect-no-changes")
    definition = world.kubectl_json("get", "customresourcedefinition", "plans.upgrade.cattle.io")
    assert definition["spec"]["versions"][0]["additionalPrinterColumns"]


def test_the_secret_for_snapshots_has_the_type_and_keys_that_k3s_expects(world: World) -> None:
    secret = world.kubectl_json("get", "secret", "k3s-etcd-snapshot-s3-config", "-n", "kube-system")
    assert secret["type"] == "etcd.k3s.cattle.io/s3-config-secret"
    keys = ("endpoint", "region", "bucket", "folder", "retention", "access-key", "secret-key")
    assert secret["data"].keys() == {f"etcd-s3-{key}" for key in keys}


def test_every_node_can_be_drained_while_api_serves(world: World, tmp_path: Path) -> None:
    wait_until_ready(world)
    record = tmp_path / "api.json"
    with recorded_events(world, "api", record):
        for node in nodes(world):
            world.kubectl("drain", node, *DRAIN, f"--timeout={DRAIN_SECONDS}s")
            remaining = world.kubectl_json(
                "get", "pods", "-n", NAMESPACE, f"--field-selector=spec.nodeName={node},status.phase=Running"
            )
            assert remaining["items"] == [], node
            world.kubectl("uncordon", node)
            wait_until_ready(world)
    counts = [len(pods) for pods in history(record)]
    assert min(counts[counts.index(MINIMUM_READY + 1) :]) == MINIMUM_READY, counts


def test_draining_all_nodes_is_stopped_by_the_disruption_budget(world: World) -> None:
    wait_until_ready(world)
    try:
        with pytest.raises(RehearsalError, match="would violate the pod's disruption budget"):
            world.kubectl("drain", *nodes(world), *DRAIN, "--timeout=15s")
        assert len(ready_pods(world, "api")) == MINIMUM_READY
    finally:
        world.kubectl("uncordon", *nodes(world))
    wait_until_ready(world)
