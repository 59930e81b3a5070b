"""Mistakes in pod specs that only show when the container runs. The events or the log of the pod name each one."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE
from tests.retry import eventually

TIMEOUT_SECONDS = 60
Pod = dict[str, Any]
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def wrong_probe_path(pod: Pod) -> None:
    for probe in PROBES:
        pod["spec"]["containers"][0][probe]["httpGet"]["path"] = "/admin/"


def wrong_probe_port(pod: Pod) -> None:
    for probe in PROBES:
        pod["spec"]["containers"][0][probe]["httpGet"]["port"] = 3001


def missing_cache_volume(pod: Pod) -> None:
    (container,) = pod["spec"]["containers"]
    mounts = container["volumeMounts"]
    container["volumeMounts"] = [mount for mount in mounts if mount["mountPath"] != "/app/.next/cache"]


def missing_fs_group(pod: Pod) -> None:
    del pod["spec"]["securityContext"]["fsGroup"]


def wrong_user(pod: Pod) -> None:
    pod["spec"]["securityContext"]["runAsUser"] = 1000


@pytest.mark.parametrize(
    ("app", "mistake", "message"),
    [
        ("web", wrong_probe_path, "statuscode: 404"),
        ("web", wrong_probe_port, "connection refused"),
        ("web", missing_cache_volume, "read-only file system"),
        ("api", missing_fs_group, "the APNs key cannot be read"),
        ("redis", wrong_user, "Permission denied"),
    ],
)
def test_events_or_log_name_the_mistake(
    production: World, app: str, mistake: Callable[[Pod], None], message: str
) -> None:
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

    def message_is_reported() -> None:
        events = production.kubectl("get", "events", "-n", NAMESPACE, f"--field-selector=involvedObject.name={name}")
        assert message in events + production.kubectl("logs", "-n", NAMESPACE, name, "--tail=20", "--ignore-errors")

    try:
        eventually(message_is_reported, seconds=TIMEOUT_SECONDS)
    finally:
        production.kubectl("delete", "pod", name, "-n", NAMESPACE, "--grace-period=0", "--force")
