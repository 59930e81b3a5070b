"""Helm charts that k3s installs: its helm-controller runs Helm in the cluster for each HelmChart object.

https://docs.k3s.io/add-ons/helm
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import yaml
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.names import KUBE_SYSTEM

FAILURE_POLICY = "abort"
"""What helm-controller does after a failed upgrade. By default, it uninstalls the chart and installs it again.

With this value the pods of the last successful upgrade stay, and an operator decides (docs/upgrades.md).
"""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One version of a chart. `namespace` is that of its objects, and must exist."""

    name: str
    repository: str
    version: str
    namespace: str = KUBE_SYSTEM
    values: Mapping[str, object] = field(default_factory=dict)


def helm_chart(chart: Chart, opts: pulumi.ResourceOptions) -> CustomResource:
    """The HelmChart object. Helm's result is not awaited: see `kubectl -n kube-system get helmcharts,jobs`."""
    return CustomResource(
        chart.name,
        api_version="helm.cattle.io/v1",
        kind="HelmChart",
        metadata=ObjectMetaArgs(name=chart.name, namespace=KUBE_SYSTEM),
        spec={
            "repo": chart.repository,
            "chart": chart.name,
            "version": chart.version,
            "targetNamespace": chart.namespace,
            "failurePolicy": FAILURE_POLICY,
            # Sorted, because another order would be a diff.
            "valuesContent": yaml.safe_dump(dict(chart.values), sort_keys=True),
        },
        opts=opts,
    )
