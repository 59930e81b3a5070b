"""Upgrades of k3s and reboots without downtime: one node at a time, drained first, in a maintenance window.

system-upgrade-controller upgrades k3s on the nodes that its Plans select (https://docs.k3s.io/upgrades/automated). Its
chart is Rancher's: https://github.com/rancher/charts/tree/release-v2.13/charts/system-upgrade-controller. kured reboots
nodes whose packages require it (https://kured.dev, chart: https://github.com/kubereboot/charts). Both evict pods and
therefore respect disruption budgets; neither is configured to force a drain.
"""

from collections.abc import Iterable, Mapping

import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apiextensions.v1 import (
    CustomResourceDefinition,
    CustomResourceDefinitionNamesArgs,
    CustomResourceDefinitionSpecArgs,
    CustomResourceDefinitionVersionArgs,
    CustomResourceSubresourcesArgs,
    CustomResourceValidationArgs,
    JSONSchemaPropsArgs,
)
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.cluster import network_policies
from infra.cluster.helm_chart import Chart, helm_chart
from infra.cluster.namespace import disable_default_token, network_policy
from infra.component import Component
from infra.k3s_charts import K3S_CHARTS, minor
from infra.names import SYSTEM_UPGRADE
from infra.settings.maintenance import Window
from infra.settings.schema import Settings
from infra.settings.topology import Node

CONTROLLER = "system-upgrade-controller"
GROUP = "upgrade.cattle.io"
SERVERS = "k3s-servers"
AGENTS = "k3s-agents"
SETTLE_TIME = "5m"
"""The time that an upgraded node has to start its pods and to synchronize etcd before the next node is drained."""


def controller_chart(k3s_version: str) -> Chart:
    """The chart of the upgrade controller for the version of k3s to which it upgrades."""
    return Chart(
        name=CONTROLLER,
        repository="https://charts.rancher.io",
        version=K3S_CHARTS[minor(k3s_version)].upgrade_controller,
        namespace=SYSTEM_UPGRADE,
    )


def reboot_chart(window: Window, days: Iterable[str]) -> Chart:
    """kured, in kube-system, because it enters the host namespaces. Pod Security forbids this elsewhere.

    Its metrics are only reachable in kube-system: the chart creates no Service, and a policy denies other namespaces.
    """
    return Chart(
        name="kured",
        repository="https://kubereboot.github.io/charts",
        version="5.11.0",
        values={
            "configuration": {
                # The chart mounts the directory of this file.
                "rebootSentinel": "/var/run/reboot-required",
                "rebootDays": list(days),
                "startTime": window.start,
                "endTime": window.end,
                "timeZone": window.time_zone,
                # With the default of an hour, a node that waits for another node gets few attempts in a window.
                "period": "10m",
                "concurrency": 1,
                # After this time kured gives up a drain and uncordons the node. By default the node would stay
                # cordoned.
                "drainTimeout": "15m",
                "lockReleaseDelay": SETTLE_TIME,
                # The annotation explains a cordoned node.
                "annotateNodes": True,
            },
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"}},
        },
    )


def plan_definition() -> CustomResourceDefinitionSpecArgs:
    """The minimal definition of Plan with which the API server accepts one."""
    any_object = JSONSchemaPropsArgs(type="object", x_kubernetes_preserve_unknown_fields=True)
    return CustomResourceDefinitionSpecArgs(
        group=GROUP,
        names=CustomResourceDefinitionNamesArgs(kind="Plan", list_kind="PlanList", plural="plans", singular="plan"),
        scope="Namespaced",
        versions=[
            CustomResourceDefinitionVersionArgs(
                name="v1",
                served=True,
                storage=True,
                schema=CustomResourceValidationArgs(
                    open_apiv3_schema=JSONSchemaPropsArgs(
                        type="object", properties={"spec": any_object, "status": any_object}
                    )
                ),
                subresources=CustomResourceSubresourcesArgs(status={}),
            )
        ],
    )


def plan(
    *, version: str, window: Window, days: Iterable[str], role: str, depends_on: str | None = None
) -> Mapping[str, object]:
    """A Plan that upgrades all nodes of a role, after the Plan `depends_on` has completed on all of its nodes."""
    return {
        "version": version,
        "concurrency": 1,
        # Not at the same time as another Plan.
        "exclusive": True,
        "nodeSelector": {
            "matchExpressions": [
                {
                    "key": "node-role.kubernetes.io/control-plane",
                    "operator": "Exists" if role == "server" else "DoesNotExist",
                }
            ]
        },
        "serviceAccountName": CONTROLLER,
        "window": {"days": list(days), "startTime": window.start, "endTime": window.end, "timeZone": window.time_zone},
        **({"prepare": {"image": "rancher/k3s-upgrade", "args": ["prepare", depends_on]}} if depends_on else {}),
        "cordon": True,
        # Evictions respect disruption budgets: no `force`, no `disableEviction`.
        "drain": {"deleteEmptydirData": True, "ignoreDaemonSets": True},
        # Longer than two pods of api need to move, 4 minutes each. Afterwards the Plan fails, and an operator must
        # check.
        "jobActiveDeadlineSecs": 1800,
        "postCompleteDelay": SETTLE_TIME,
        # The controller uses the version as the tag.
        "upgrade": {"image": "rancher/k3s-upgrade"},
    }


def plans(settings: Settings, window: Window, days: Iterable[str]) -> Mapping[str, Mapping[str, object]]:
    """Servers first: a kubelet must not be newer than the API server."""
    version = settings.cluster.k3s_version
    servers = {SERVERS: plan(version=version, window=window, days=days, role="server")}
    if not any(_is_agent(node) for node in settings.nodes.values()):
        return servers
    return servers | {AGENTS: plan(version=version, window=window, days=days, role="agent", depends_on=SERVERS)}


def _is_agent(node: Node) -> bool:
    return node.role == "agent"


class Upgrades(Component):
    """kured and the upgrade controller, each if the settings contain days for it."""

    def __init__(self, settings: Settings, *, provider: kubernetes.Provider) -> None:
        super().__init__("cluster:Upgrades", "upgrades", provider=provider)
        upgrades = settings.upgrades
        if upgrades and upgrades.reboots:
            helm_chart(reboot_chart(upgrades.window, upgrades.reboots), self.child_options())
        if upgrades and upgrades.k3s:
            self._upgrade_k3s(
                controller_chart(settings.cluster.k3s_version), plans(settings, upgrades.window, upgrades.k3s)
            )
        self.register_outputs({})

    def _upgrade_k3s(self, chart: Chart, specs: Mapping[str, Mapping[str, object]]) -> None:
        namespace = Namespace(
            SYSTEM_UPGRADE,
            # The controller's Jobs replace a binary on the host.
            metadata=ObjectMetaArgs(
                name=SYSTEM_UPGRADE,
                labels={f"pod-security.kubernetes.io/{mode}": "privileged" for mode in ("enforce", "audit", "warn")},
            ),
            opts=self.child_options(),
        )
        in_namespace = self.child_options(depends_on=[namespace])
        disable_default_token(SYSTEM_UPGRADE, SYSTEM_UPGRADE, in_namespace)
        policy = network_policy(SYSTEM_UPGRADE, "intra-namespace", network_policies.inside_namespace(), in_namespace)
        controller = helm_chart(chart, self.child_options(depends_on=[policy]))
        definition = CustomResourceDefinition(
            "plans",
            metadata=ObjectMetaArgs(name=f"plans.{GROUP}"),
            spec=plan_definition(),
            # The controller installs its own definition after this `up`, and overwrites an existing one at every start.
            opts=self.child_options(ignore_changes=["spec"]),
        )
        for name, spec in specs.items():
            CustomResource(
                name,
                api_version=f"{GROUP}/v1",
                kind="Plan",
                metadata=ObjectMetaArgs(name=name, namespace=SYSTEM_UPGRADE),
                spec=spec,
                opts=self.child_options(depends_on=[definition, controller]),
            )
