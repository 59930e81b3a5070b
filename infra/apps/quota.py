"""The limits of the app namespace: the pods of all apps together, and the resources of one container.

They stop a mistake, such as a Deployment with a hundred replicas, before it takes the nodes from the other apps. The
deployer may change them, because they follow from the settings.
"""

from collections.abc import Iterable, Mapping, Sequence

import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core.v1 import (
    LimitRange,
    LimitRangeItemArgs,
    LimitRangeSpecArgs,
    ResourceQuota,
    ResourceQuotaSpecArgs,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.apps.migration import Migration
from infra.apps.pod import Demand
from infra.apps.workload import Workload
from infra.cluster import Namespace
from infra.component import Component
from infra.names import NAMESPACE
from infra.pods import Resources, mebibytes, millicores
from infra.settings.other_workloads import OtherWorkload

NAME = "honeydue"


def hard_limits(demands: Sequence[Demand]) -> Mapping[str, str]:
    """The sums over all apps. Pods that have ended, such as those of old migrations, do not count."""
    totals = [(demand.pods, demand.resources) for demand in demands]
    memory = mebibytes(sum(pods * resources.memory for pods, resources in totals))
    disk = mebibytes(sum(pods * resources.disk for pods, resources in totals))
    return {
        "pods": str(sum(pods for pods, _ in totals)),
        "requests.cpu": millicores(sum(pods * resources.cpu for pods, resources in totals)),
        "limits.cpu": millicores(sum(pods * resources.cpu_limit for pods, resources in totals)),
        "requests.memory": memory,
        "limits.memory": memory,
        "requests.ephemeral-storage": disk,
        "limits.ephemeral-storage": disk,
    }


def container_limits(resources: Sequence[Resources], others: Sequence[Resources] = ()) -> LimitRangeItemArgs:
    """No container is larger than the largest one of the apps and of the other workloads.

    A container without resources gets the smallest ones of the apps, because the quota refuses a pod without.
    """
    largest = [*resources, *others]
    smallest = {
        "memory": mebibytes(min(values.memory for values in resources)),
        "ephemeral-storage": mebibytes(min(values.disk for values in resources)),
    }
    return LimitRangeItemArgs(
        type="Container",
        default_request={"cpu": millicores(min(values.cpu for values in resources)), **smallest},
        default={"cpu": millicores(min(values.cpu_limit for values in resources)), **smallest},
        max={
            "cpu": millicores(max(values.cpu_limit for values in largest)),
            "memory": mebibytes(max(values.memory for values in largest)),
            "ephemeral-storage": mebibytes(max(values.disk for values in largest)),
        },
    )


def other_demands(workloads: Iterable[OtherWorkload]) -> Sequence[Demand]:
    """What the other workloads of the namespace use."""
    return [
        Demand(
            pods=workload.pods,
            resources=Resources(
                cpu=workload.resources.cpu,
                cpu_limit=workload.resources.cpu_limit,
                memory=workload.resources.memory,
                disk=workload.resources.disk,
            ),
        )
        for workload in workloads
        if workload.namespace == NAMESPACE
    ]


class Quota(Component):
    """The ResourceQuota and the LimitRange of the app namespace.

    `cron_jobs` are the pods of CronJobs, and `others` are workloads beside the apps.
    """

    def __init__(
        self,
        apps: Sequence[Workload | Migration],
        *,
        cron_jobs: Sequence[Demand] = (),
        others: Iterable[OtherWorkload],
        namespace: Namespace,
        provider: kubernetes.Provider,
    ) -> None:
        super().__init__("apps:Quota", "quota", provider=provider)
        demands, room = [*(app.demand for app in apps), *cron_jobs], other_demands(others)
        metadata = ObjectMetaArgs(name=NAME, namespace=namespace.name)
        ResourceQuota(
            NAME,
            metadata=metadata,
            spec=ResourceQuotaSpecArgs(hard=hard_limits([*demands, *room])),
            opts=self.child_options(),
        )
        LimitRange(
            NAME,
            metadata=metadata,
            spec=LimitRangeSpecArgs(
                limits=[
                    container_limits(
                        [demand.resources for demand in demands], others=[demand.resources for demand in room]
                    )
                ]
            ),
            opts=self.child_options(),
        )
        self.register_outputs({})
