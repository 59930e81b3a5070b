"""All effects of the next `up` on the undeclared workloads of a cluster."""

from collections.abc import Mapping, Sequence

from infra.settings.other_workloads import OtherWorkload
from ops.adoption.effects import account, connections, host_namespace, host_ports, images, pod_security, resources
from ops.adoption.effects.effect import Effect
from ops.adoption.workloads import Workload, undeclared_workloads
from ops.kubernetes import Cluster, Object
from ops.plan import State


def effects(
    workload: Workload,
    states: Sequence[State],
    others: Mapping[str, OtherWorkload],
    live_policies: Sequence[Object] = (),
) -> Sequence[Effect]:
    """The effects on one workload. `others` is the setting `honeydue:otherWorkloads`."""
    if in_host_namespace := list(host_namespace.effects(workload, states)):
        return in_host_namespace
    return [
        *images.effects(workload, states),
        *pod_security.effects(workload, states),
        *resources.effects(workload, states, others),
        *connections.effects(workload, states, live_policies),
        *account.effects(workload, states),
        *host_ports.effects(workload, states),
    ]


def affected_workloads(
    cluster: Cluster, states: Sequence[State], others: Mapping[str, OtherWorkload]
) -> Mapping[Workload, Sequence[Effect]]:
    """The effects on every undeclared workload that has any."""
    live_policies = cluster.list_everywhere("networking.k8s.io/v1", "NetworkPolicy")
    return {
        workload: result
        for workload in undeclared_workloads(cluster, states)
        if (result := effects(workload, states, others, live_policies))
    }
