"""The API server refuses everything but one DaemonSet in the namespaces with access to the host."""

from collections.abc import Iterator
from typing import Any

import pytest

from infra.settings.logs import LogImages
from infra.settings.monitoring import MonitoringImages
from rehearsal.world.world import World
from tests.rehearsal.dry_runs import manifest, pod, refusal
from tests.rehearsal.templates import EVERY_OPTION


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with all optional settings, which has all policies."""
    with EVERY_OPTION.clone(tmp_path_factory.mktemp("worlds") / "host-admission") as world:
        yield world


IMAGES = MonitoringImages()
EXPORTER = {"name": "node-exporter", "namespace": "node-exporter"}


def exporter(*, read_only: bool = True, **changes: Any) -> dict[str, Any]:
    """A pod that reads the host, as node_exporter does."""
    spec = pod(IMAGES.node_exporter, hostNetwork=True, **changes)
    spec["volumes"] = [{"name": "root", "hostPath": {"path": "/"}}]
    spec["containers"][0]["volumeMounts"] = [{"name": "root", "mountPath": "/host", "readOnly": read_only}]
    return spec


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (manifest("DaemonSet", exporter(), namespace="node-exporter"), "only the DaemonSet node-exporter runs"),
        (manifest("Pod", exporter(), **EXPORTER), "only the DaemonSet node-exporter runs"),
        (manifest("DaemonSet", exporter(read_only=False), **EXPORTER), "may only be mounted with readOnly: true"),
        (manifest("DaemonSet", pod(IMAGES.vmagent), **EXPORTER), f"run here, not {IMAGES.vmagent}"),
        (manifest("DaemonSet", exporter(hostPID=True), **EXPORTER), "(hostPID)"),
        (
            manifest("DaemonSet", exporter(security={"allowPrivilegeEscalation": True}), **EXPORTER),
            "needs allowPrivilegeEscalation: false",
        ),
        (
            manifest("DaemonSet", exporter(security={"capabilities": {"add": ["SYS_ADMIN"]}}), **EXPORTER),
            "capabilities without any but drop: [ALL]",
        ),
        (
            manifest("DaemonSet", exporter(security={"runAsNonRoot": False}), **EXPORTER),
            "needs runAsNonRoot: true",
        ),
    ],
)
def test_nothing_but_node_exporter_reaches_the_nodes_through_its_namespace(
    production: World, content: dict[str, Any], message: str
) -> None:
    newer = f"node-exporter={IMAGES.node_exporter.partition(':')[0]}:v9"
    production.kubectl("set", "image", "daemonset/node-exporter", newer, "-n", "node-exporter", "--dry-run=server")
    assert message in refusal(production, content)


VLAGENT_IMAGE = LogImages().vlagent
VLAGENT = {"name": "vlagent", "namespace": "logs"}
LOG_FILES, STATE = "/var/log", "/var/lib/vlagent"


def agent(path: str = LOG_FILES, *, read_only: bool = True, **changes: Any) -> dict[str, Any]:
    """A pod that reads logs of the node as root, as vlagent does. `path` is what it reads beside its own directory."""
    spec = pod(VLAGENT_IMAGE, **changes)
    spec["securityContext"] |= {"runAsNonRoot": False, "runAsUser": 0}
    spec["volumes"] = [
        {"name": "logs", "hostPath": {"path": path}},
        {"name": "state", "hostPath": {"path": STATE, "type": "DirectoryOrCreate"}},
    ]
    spec["containers"][0]["volumeMounts"] = [
        {"name": "logs", "mountPath": LOG_FILES, "readOnly": read_only},
        {"name": "state", "mountPath": STATE},
    ]
    return spec


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (manifest("DaemonSet", agent(), namespace="logs"), "only the DaemonSet vlagent runs"),
        (manifest("Pod", agent(), **VLAGENT), "only the DaemonSet vlagent runs"),
        (manifest("DaemonSet", agent(read_only=False), **VLAGENT), "with readOnly: true, except /var/lib/vlagent"),
        (manifest("DaemonSet", agent("/etc"), **VLAGENT), "only /var/log, /var/lib/rancher/k3s/server/logs"),
        (manifest("DaemonSet", agent("/"), **VLAGENT), "only /var/log, /var/lib/rancher/k3s/server/logs"),
        (manifest("DaemonSet", pod(IMAGES.vmagent), **VLAGENT), f"run here, not {IMAGES.vmagent}"),
        (manifest("DaemonSet", agent(hostNetwork=True), **VLAGENT), "(hostNetwork)"),
        (manifest("DaemonSet", agent(hostPID=True), **VLAGENT), "(hostPID)"),
        (
            manifest("DaemonSet", agent(security={"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}), **VLAGENT),
            "capabilities without any but drop: [ALL]",
        ),
    ],
)
def test_nothing_but_vlagent_reaches_the_nodes_through_its_namespace(
    production: World, content: dict[str, Any], message: str
) -> None:
    newer = f"vlagent={VLAGENT_IMAGE.partition(':')[0]}:v9"
    production.kubectl("set", "image", "daemonset/vlagent", newer, "-n", "logs", "--dry-run=server")
    assert message in refusal(production, content)
