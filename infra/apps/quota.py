"""The limits of the app namespace: the pods of all apps together, and the resources of one container.

They stop a mistake, such as a Deployment with a hundred replicas, before it takes the nodes from the other apps. The
deployer may change them, because they follow from the settings.
"""

from collections.abc import Mapping, Sequence

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
from infra.apps.pod import Demand, Resources, mebibytes, millicores
from infra.apps.workload import Workload
from infra.cluster import Namespace
from infra.component import Component

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


def container_limits(resources: Sequence[Resources]) -> LimitRangeItemArgs:
    """No container is larger than the largest one of the apps.

    A container without resources gets the smallest ones, because the quota refuses a pod without.
    """
    smallest = {
        "memory": mebibytes(min(values.memory for values in resources)),
        "ephemeral-storage": mebibytes(min(values.disk for values in resources)),
    }
    return LimitRangeItemArgs(
        type="Container",
        default_request={"cpu": millicores(min(values.cpu for values in resources)), **smallest},
        default={"cpu": millicores(min(values.cpu_limit for values in resources)), **smallest},
        max={
            "cpu": millicores(max(values.cpu_limit for values in resources)),
            "memory": mebibytes(max(values.memory for values in resources)),
            "ephemeral-storage": mebibytes(max(values.disk for values in resources)),
        },
    )


class Quota(Component):
    """The ResourceQuota and the LimitRange of the app namespace."""

    def __init__(
        self, apps: Sequence[Workload | Migration], *, namespace: Namespace, provider: kubernetes.Provider
    ) -> None:
        super().__init__("apps:Quota", "quota", provider=provider)
        demands = [app.demand for app in apps]
        metadata = ObjectMetaArgs(name=NAME, namespace=namespace.name)
        ResourceQuota(
            NAME,
            metadata=metadata,
            spec=ResourceQuotaSpecArgs(hard=hard_limits(demands)),
            opts=self.child_options(),
        )
        LimitRange(
            NAME,
            metadata=metadata,
            spec=LimitRangeSpecArgs(limits=[container_limits([demand.resources for demand in demands])]),
            opts=self.child_options(),
        )
        self.register_outputs({})
