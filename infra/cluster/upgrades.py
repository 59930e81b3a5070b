"""k3s and the kernel, brought up to date without downtime: one node at a time, drained first, in a window.

system-upgrade-controller replaces k3s on the nodes that its Plans choose (https://docs.k3s.io/upgrades/automated); its chart is
Rancher's, https://github.com/rancher/charts/tree/release-v2.13/charts/system-upgrade-controller. kured reboots a node whose
packages ask for it (https://kured.dev); chart: https://github.com/kubereboot/charts. Both evict pods and so wait for disruption
budgets; neither is told to force anything.
"""

from collections.abc import Iterable, Mapping

import pulumi
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
from infra.cluster.namespace import policy, tokenless
from infra.component import Component
from infra.settings.maintenance import Window
from infra.settings.schema import Settings
from infra.settings.topology import Node

HOME = "cattle-system"
"""Where the controller and its plans live: the chart names this namespace in its templates."""
CONTROLLER = Chart(
    name="system-upgrade-controller", repository="https://charts.rancher.io", version="108.0.0", namespace=HOME
)  # controller 0.17.0, for Kubernetes below 1.35
GROUP = "upgrade.cattle.io"
SERVERS = "k3s-servers"
AGENTS = "k3s-agents"
SETTLE = "5m"
"""A node that is back is given this long to start its pods and to catch up with etcd before the next one goes."""


def reboots(window: Window, days: Iterable[str]) -> Chart:
    """kured, in k3s' own namespace: it enters the node's, which Pod Security forbids elsewhere.

    Its metrics stay in that namespace: the chart makes no Service, and a policy lets nobody else in.
    """
    return Chart(
        name="kured",
        repository="https://kubereboot.github.io/charts",
        version="5.11.0",
        values={
            "configuration": {
                # The chart mounts the folder of this file.
                "rebootSentinel": "/var/run/reboot-required",
                "rebootDays": list(days),
                "startTime": window.start,
                "endTime": window.end,
                "timeZone": window.time_zone,
                # The default, an hour, leaves a node that finds another one rebooting few chances in a window.
                "period": "10m",
                "concurrency": 1,
                # A drain that hangs is given up, and the node takes pods again; by default it would stay empty for ever.
                "drainTimeout": "15m",
                "lockReleaseDelay": SETTLE,
                # Who finds a cordoned node sees why.
                "annotateNodes": True,
            },
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"}},
        },
    )


def plan_definition() -> CustomResourceDefinitionSpecArgs:
    """What a plan is, as little as the API server needs to take one."""
    anything = JSONSchemaPropsArgs(type="object", x_kubernetes_preserve_unknown_fields=True)
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
                        type="object", properties={"spec": anything, "status": anything}
                    )
                ),
                subresources=CustomResourceSubresourcesArgs(status={}),
            )
        ],
    )


def plan(
    *, version: str, window: Window, days: Iterable[str], role: str, after: str | None = None
) -> Mapping[str, object]:
    """An upgrade of all nodes of one role, when the plan `after` has reached all of its own."""
    return {
        "version": version,
        "concurrency": 1,
        # Not beside the other plan either.
        "exclusive": True,
        "nodeSelector": {
            "matchExpressions": [
                {
                    "key": "node-role.kubernetes.io/control-plane",
                    "operator": "Exists" if role == "server" else "DoesNotExist",
                }
            ]
        },
        "serviceAccountName": CONTROLLER.name,
        "window": {"days": list(days), "startTime": window.start, "endTime": window.end, "timeZone": window.time_zone},
        **({"prepare": {"image": "rancher/k3s-upgrade", "args": ["prepare", after]}} if after else {}),
        "cordon": True,
        # Evictions, which a disruption budget can delay: neither force nor disableEviction.
        "drain": {"deleteEmptydirData": True, "ignoreDaemonSets": True},
        # Longer than two pods of api need to move, at four minutes each; then the plan stops, and somebody looks.
        "jobActiveDeadlineSecs": 1800,
        "postCompleteDelay": SETTLE,
        # Its tag is the version.
        "upgrade": {"image": "rancher/k3s-upgrade"},
    }


def plans(settings: Settings, window: Window, days: Iterable[str]) -> Mapping[str, Mapping[str, object]]:
    """Servers first: an agent may be older than the API server it talks to, and not newer."""
    version = settings.cluster.k3s_version
    servers = {SERVERS: plan(version=version, window=window, days=days, role="server")}
    if not any(_is_agent(node) for node in settings.nodes.values()):
        return servers
    return servers | {AGENTS: plan(version=version, window=window, days=days, role="agent", after=SERVERS)}


def _is_agent(node: Node) -> bool:
    return node.role == "agent"


class Upgrades(Component):
    """What the settings ask for of the two; nothing while they ask for nothing."""

    def __init__(self, settings: Settings, *, provider: kubernetes.Provider) -> None:
        super().__init__("cluster:Upgrades", "upgrades", provider=provider)
        wanted = settings.upgrades
        if wanted and wanted.reboots:
            helm_chart(reboots(wanted.window, wanted.reboots), pulumi.ResourceOptions(parent=self))
        if wanted and wanted.k3s:
            self._upgrade_k3s(plans(settings, wanted.window, wanted.k3s))
        self.register_outputs({})

    def _upgrade_k3s(self, specs: Mapping[str, Mapping[str, object]]) -> None:
        home = Namespace(
            HOME,
            # The controller's jobs replace a program of the node.
            metadata=ObjectMetaArgs(
                name=HOME,
                labels={f"pod-security.kubernetes.io/{mode}": "privileged" for mode in ("enforce", "audit", "warn")},
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        inside = pulumi.ResourceOptions(parent=self, depends_on=[home])
        tokenless(HOME, HOME, inside)
        closed = policy(HOME, "intra-namespace", network_policies.inside_namespace(), inside)
        controller = helm_chart(CONTROLLER, pulumi.ResourceOptions(parent=self, depends_on=[closed]))
        definition = CustomResourceDefinition(
            "plans",
            metadata=ObjectMetaArgs(name=f"plans.{GROUP}"),
            spec=plan_definition(),
            # The controller brings its own definition, later than this `up`, and writes it over an existing one at every start.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["spec"]),
        )
        for name, spec in specs.items():
            CustomResource(
                name,
                api_version=f"{GROUP}/v1",
                kind="Plan",
                metadata=ObjectMetaArgs(name=name, namespace=HOME),
                spec=spec,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[definition, controller]),
            )
