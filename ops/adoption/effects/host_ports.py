"""Finds workloads that use the port of node_exporter on the nodes, so that its pods cannot start."""

from collections.abc import Iterator, Sequence

from infra.monitoring.ports import NODE_EXPORTER_PORT
from infra.names import KUBE_SYSTEM, NODE_EXPORTER
from ops.adoption.effects.effect import Effect
from ops.adoption.workloads import Workload
from ops.json_paths import dig
from ops.plan import State
from ops.resource_types import DAEMON_SET

TRAEFIK = (KUBE_SYSTEM, "traefik")
"""The DaemonSet of k3s' chart. Its metrics are at the same port by default, and the `up` moves them to another."""


def effects(workload: Workload, states: Sequence[State]) -> Iterator[Effect]:
    """Another node_exporter, in most cases. The `up` would wait for the pods of the program's and then fail."""
    declared = any(
        state.type == DAEMON_SET and dig(state.inputs, "metadata", "name") == NODE_EXPORTER for state in states
    )
    if (workload.namespace, workload.name) != TRAEFIK and declared and NODE_EXPORTER_PORT in _host_ports(workload):
        yield Effect(
            problem=f"it uses port {NODE_EXPORTER_PORT} of its nodes, where the pods of {NODE_EXPORTER} cannot start",
            remedy="Remove it, or set honeydue:monitoring.nodeExporter to false",
        )


def _host_ports(workload: Workload) -> set[object]:
    """The ports of the node that the pods declare. On the host network, each port of a container is one."""
    field = "containerPort" if workload.pod.get("hostNetwork") else "hostPort"
    return {port.get(field) for container in workload.containers for port in container.get("ports") or ()}
