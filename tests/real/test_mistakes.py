"""What only shows when a container runs: one mistake each in a pod of the program's own, and how the rehearsal tells it."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from rehearsal.world.world import World
from tests.real.patience import patiently
from tests.rehearsal.cluster import NAMESPACE

PATIENCE_SECONDS = 60
Pod = dict[str, Any]
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def wrong_path(pod: Pod) -> None:
    for probe in PROBES:
        pod["spec"]["containers"][0][probe]["httpGet"]["path"] = "/admin/"


def wrong_port(pod: Pod) -> None:
    for probe in PROBES:
        pod["spec"]["containers"][0][probe]["httpGet"]["port"] = 3001


def nowhere_to_write(pod: Pod) -> None:
    (container,) = pod["spec"]["containers"]
    container["volumeMounts"] = [one for one in container["volumeMounts"] if one["mountPath"] != "/app/.next/cache"]


def no_group_for_its_files(pod: Pod) -> None:
    del pod["spec"]["securityContext"]["fsGroup"]


def another_user(pod: Pod) -> None:
    pod["spec"]["securityContext"]["runAsUser"] = 1000


@pytest.mark.parametrize(
    ("app", "mistake", "told"),
    [
        ("web", wrong_path, "statuscode: 404"),
        ("web", wrong_port, "connection refused"),
        ("web", nowhere_to_write, "read-only file system"),
        ("api", no_group_for_its_files, "the APNs key cannot be read"),
        ("redis", another_user, "Permission denied"),
    ],
)
def test_a_mistake_is_told(production: World, app: str, mistake: Callable[[Pod], None], told: str) -> None:
    template: Mapping[str, Any] = production.kubectl_json("get", "deployment", app, "-n", NAMESPACE)["spec"]["template"]
    name = mistake.__name__.replace("_", "-")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": template["metadata"]["labels"]},
        "spec": template["spec"],
    }
    mistake(pod)
    production.kubectl("create", "-n", NAMESPACE, "-f", "-", stdin=json.dumps(pod))

    def shown() -> None:
        events = production.kubectl("get", "events", "-n", NAMESPACE, f"--field-selector=involvedObject.name={name}")
        assert told in events + production.kubectl("logs", "-n", NAMESPACE, name, "--tail=20", "--ignore-errors")

    try:
        patiently(shown, seconds=PATIENCE_SECONDS)
    finally:
        production.kubectl("delete", "pod", name, "-n", NAMESPACE, "--grace-period=0", "--force")
