"""Upgrades as far as a real API server can tell: what is stored, and that every node can be drained while the site is served."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal.errors import RehearsalError
from rehearsal.world.world import World
from tests.rehearsal.cluster import APP, NAMESPACE, items
from tests.rehearsal.templates import UPGRADES

DRAIN = ("--ignore-daemonsets", "--delete-emptydir-data")
"""As the plans and kured drain; no force, and no way around disruption budgets."""
LEAST = 2
"""Pods of api that serve at any moment: three, less the one that its budget lets go."""

eventually = retry(
    stop=stop_after_delay(60), wait=wait_fixed(0.2), retry=retry_if_exception_type(AssertionError), reraise=True
)


@pytest.fixture(scope="module")
def upgrading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with UPGRADES.clone(tmp_path_factory.mktemp("worlds") / "upgrading") as world:
        yield world


def nodes(world: World) -> list[str]:
    return [one["metadata"]["name"] for one in world.kubectl_json("get", "nodes")["items"]]


def serves(pod: Mapping[str, Any]) -> bool:
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))
    return ready and "deletionTimestamp" not in pod["metadata"]


def serving(world: World, app: str) -> frozenset[str]:
    """Its pods that serve now, by uid."""
    return frozenset(pod["metadata"]["uid"] for pod in items(world, "pods", app) if serves(pod))


@eventually
def settle(world: World) -> None:
    """Waits until every app has all of its pods again."""
    for one in items(world, "deployments"):
        assert len(serving(world, one["metadata"]["name"])) == one["spec"]["replicas"], one["metadata"]["name"]


@contextmanager
def watching(world: World, app: str, record: Path) -> Iterator[None]:
    """Writes down everything that happens to an app's pods meanwhile, as the API server tells it."""
    arguments = ["get", "pods", "-n", NAMESPACE, "-l", f"{APP}={app}", "--watch", "--output-watch-events", "-o", "json"]
    with record.open("w") as told, subprocess.Popen(world.kubectl_client().command(*arguments), stdout=told) as watch:
        try:
            _caught_up(world, app, record)
            yield
            _caught_up(world, app, record)
        finally:
            watch.terminate()


@eventually
def _caught_up(world: World, app: str, record: Path) -> None:
    assert [frozenset(), *history(record)][-1] == serving(world, app)


def history(record: Path) -> Iterator[frozenset[str]]:
    """The pods that served after each event; those that were there at the start are told one after the other."""
    events = record.read_text()
    served: set[str] = set()
    place = 0
    while (place := events.find("{", place)) >= 0:
        try:
            event, place = json.JSONDecoder().raw_decode(events, place)
        except json.JSONDecodeError:
            return  # half an event: the rest is still to come
        pod = event["object"]
        if event["type"] != "DELETED" and serves(pod):
            served.add(pod["metadata"]["uid"])
        else:
            served.discard(pod["metadata"]["uid"])
        yield frozenset(served)


def test_a_second_up_changes_nothing(upgrading: World) -> None:
    upgrading.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_the_plan_is_stored_as_meant(upgrading: World) -> None:
    stored = upgrading.kubectl_json("get", "plans.upgrade.cattle.io", "-n", "cattle-system")["items"]
    assert [one["metadata"]["name"] for one in stored] == ["k3s-servers"]
    spec = stored[0]["spec"]
    assert (spec["concurrency"], spec["version"]) == (1, "v1.34.6+k3s1")
    assert spec["window"] == {"days": ["sun"], "startTime": "02:00", "endTime": "05:00", "timeZone": "Europe/Berlin"}
    chosen = upgrading.kubectl_json("get", "nodes", "-l", "node-role.kubernetes.io/control-plane")["items"]
    assert len(chosen) == len(nodes(upgrading))


def test_the_controllers_own_definition_of_a_plan_is_no_drift(upgrading: World) -> None:
    definition = upgrading.kubectl_json("get", "customresourcedefinition", "plans.upgrade.cattle.io")
    version = definition["spec"]["versions"][0]
    version["additionalPrinterColumns"] = [{"name": "Version", "type": "string", "jsonPath": ".spec.version"}]
    version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"] = {
        "concurrency": {"type": "integer", "format": "int64"}
    }
    # As the controller does it: the whole object, by an update.
    definition["metadata"] = {key: definition["metadata"][key] for key in ("name", "resourceVersion")}
    upgrading.kubectl("replace", "-f", "-", stdin=json.dumps(definition))
    upgrading.pulumi("up", "--yes", "--skip-preview", "--refresh", "--expect-no-changes")
    columns = upgrading.kubectl_json("get", "customresourcedefinition", "plans.upgrade.cattle.io")["spec"]["versions"][
        0
    ]
    assert columns["additionalPrinterColumns"]


def test_k3s_finds_the_secret_of_its_snapshots(upgrading: World) -> None:
    secret = upgrading.kubectl_json("get", "secret", "k3s-etcd-snapshot-s3-config", "-n", "kube-system")
    assert secret["type"] == "etcd.k3s.cattle.io/s3-config-secret"
    told = ("endpoint", "region", "bucket", "folder", "retention", "access-key", "secret-key")
    assert secret["data"].keys() == {f"etcd-s3-{key}" for key in told}


def test_every_node_is_drained_and_api_serves_all_the_while(upgrading: World, tmp_path: Path) -> None:
    settle(upgrading)
    record = tmp_path / "api.json"
    with watching(upgrading, "api", record):
        for node in nodes(upgrading):
            upgrading.kubectl("drain", node, *DRAIN, "--timeout=120s")
            left = upgrading.kubectl_json(
                "get", "pods", "-n", NAMESPACE, f"--field-selector=spec.nodeName={node},status.phase=Running"
            )
            assert left["items"] == [], node
            upgrading.kubectl("uncordon", node)
            settle(upgrading)
    counts = [len(pods) for pods in history(record)]
    assert min(counts[counts.index(LEAST + 1) :]) == LEAST, counts


def test_a_drain_that_leaves_pods_no_room_waits_and_costs_no_more_than_one(upgrading: World) -> None:
    settle(upgrading)
    try:
        with pytest.raises(RehearsalError, match="would violate the pod's disruption budget"):
            upgrading.kubectl("drain", *nodes(upgrading), *DRAIN, "--timeout=15s")
        assert len(serving(upgrading, "api")) == LEAST
    finally:
        upgrading.kubectl("uncordon", *nodes(upgrading))
    settle(upgrading)
