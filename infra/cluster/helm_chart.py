"""Charts that k3s installs: its helm-controller takes a HelmChart and runs Helm inside the cluster.

https://docs.k3s.io/add-ons/helm
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import yaml
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

HOME = "kube-system"
"""Where k3s keeps its own charts."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart of a repository at one version, and the namespace that its objects go to, which must exist."""

    name: str
    repository: str
    version: str
    namespace: str = HOME
    values: Mapping[str, object] = field(default_factory=dict)


def helm_chart(chart: Chart, opts: pulumi.ResourceOptions) -> CustomResource:
    """Asks k3s for it. That Helm succeeded is not awaited: `kubectl -n kube-system get helmcharts` and its job tell."""
    return CustomResource(
        chart.name,
        api_version="helm.cattle.io/v1",
        kind="HelmChart",
        metadata=ObjectMetaArgs(name=chart.name, namespace=HOME),
        spec={
            "repo": chart.repository,
            "chart": chart.name,
            "version": chart.version,
            "targetNamespace": chart.namespace,
            # Sorted: an order that moves would read as a change.
            "valuesContent": yaml.safe_dump(dict(chart.values), sort_keys=True),
        },
        opts=opts,
    )
