"""The Traefik that k3s bundles: its permissions and its configuration.

k3s' helm-controller merges a HelmChartConfig into the HelmChart of the same name: https://docs.k3s.io/add-ons/helm
"""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes
import yaml
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.rbac.v1 import (
    ClusterRole,
    ClusterRoleBinding,
    PolicyRuleArgs,
    Role,
    RoleBinding,
    RoleRefArgs,
    SubjectArgs,
)

from infra.cluster.helm_chart import FAILURE_POLICY
from infra.cluster.namespace import Namespace
from infra.cluster.rbac import Resources, rules
from infra.cluster.traefik_values import chart_values
from infra.component import Component
from infra.names import KUBE_SYSTEM

TRAEFIK = "traefik"
"""The name that k3s and its chart give to the HelmChart, the DaemonSet and the ServiceAccount."""
CRDS = "traefik-crd"
"""k3s' HelmChart with the CustomResourceDefinitions of Traefik."""
CLUSTER_ROLE = "honeydue-traefik"
"""Not the name in the chart, traefik-kube-system: Helm deletes that one when the chart's own rights are disabled."""

NAMESPACED: Resources = {
    "": ["configmaps", "secrets", "services"],
    "discovery.k8s.io": ["endpointslices"],
    "networking.k8s.io": ["ingresses"],
    "traefik.io": [
        "ingressroutes",
        "ingressroutetcps",
        "ingressrouteudps",
        "middlewares",
        "middlewaretcps",
        "serverstransports",
        "serverstransporttcps",
        "tlsoptions",
        "tlsstores",
        "traefikservices",
    ],
}
"""What Traefik reads in the app namespace. It does not start when it cannot watch one of them."""
CLUSTER_WIDE: Resources = {"": ["nodes"], "networking.k8s.io": ["ingressclasses"]}


def reader_rules(resources: Resources) -> list[PolicyRuleArgs]:
    """Traefik reads everything in a watch, which begins with a list."""
    return rules(resources, "get", "list", "watch")


class Traefik(Component):
    """Permissions of Traefik's ServiceAccount, and the HelmChartConfigs of its charts.

    The permissions exist before the configuration that disables those of the chart, so that Traefik never loses them.
    """

    def __init__(self, *, trusted: Sequence[str], namespace: Namespace, provider: kubernetes.Provider) -> None:
        super().__init__("cluster:Traefik", "traefik", provider=provider)
        spec = {"valuesContent": yaml.safe_dump(dict(chart_values(trusted=trusted)), sort_keys=True)}
        self._chart_config(TRAEFIK, spec, depends_on=self._permissions(namespace))
        # No values. A reinstallation would delete every Middleware and TLSOption together with their definitions.
        self._chart_config(CRDS, {})
        self.register_outputs({})

    def _permissions(self, namespace: Namespace) -> Sequence[pulumi.Resource]:
        child = self.child_options()
        subjects = [SubjectArgs(kind="ServiceAccount", name=TRAEFIK, namespace=KUBE_SYSTEM)]
        group = "rbac.authorization.k8s.io"
        metadata = ObjectMetaArgs(name=TRAEFIK, namespace=namespace.name)
        role = Role(TRAEFIK, metadata=metadata, rules=reader_rules(NAMESPACED), opts=child)
        cluster_role = ClusterRole(
            CLUSTER_ROLE,
            metadata=ObjectMetaArgs(name=CLUSTER_ROLE),
            rules=reader_rules(CLUSTER_WIDE),
            opts=child,
        )
        return [
            RoleBinding(
                TRAEFIK,
                metadata=metadata,
                role_ref=RoleRefArgs(api_group=group, kind="Role", name=role.metadata.name),
                subjects=subjects,
                opts=child,
            ),
            ClusterRoleBinding(
                CLUSTER_ROLE,
                metadata=ObjectMetaArgs(name=CLUSTER_ROLE),
                role_ref=RoleRefArgs(api_group=group, kind="ClusterRole", name=cluster_role.metadata.name),
                subjects=subjects,
                opts=child,
            ),
        ]

    def _chart_config(
        self, name: str, spec: Mapping[str, object], depends_on: Sequence[pulumi.Resource] = ()
    ) -> CustomResource:
        return CustomResource(
            name,
            api_version="helm.cattle.io/v1",
            kind="HelmChartConfig",
            metadata=ObjectMetaArgs(name=name, namespace=KUBE_SYSTEM),
            spec={"failurePolicy": FAILURE_POLICY, **spec},
            opts=self.child_options(depends_on=depends_on),
        )
