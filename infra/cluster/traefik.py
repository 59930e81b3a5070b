"""Traefik as k3s bundles it, changed where the book changes it (ch06): on every node, on the node's own network, 443 alone."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes
import yaml
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.component import Component


def chart_values(*, trusted: Sequence[str]) -> Mapping[str, object]:
    """Values of Traefik's Helm chart; `trusted` are the proxies whose forwarded headers are believed."""
    return {
        "deployment": {"kind": "DaemonSet"},
        "hostNetwork": True,
        # On the host network two pods of one node cannot hold port 443 at once.
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
        # Cloudflare connects to the nodes themselves; a Service of type LoadBalancer would open 80 and 443 a second time.
        "service": {"enabled": False},
        "ports": {
            "web": {"expose": {"default": False}},
            "websecure": {
                "port": 443,
                "hostPort": 443,
                "forwardedHeaders": {"trustedIPs": list(trusted)},
            },
        },
        # Port 443 on the host network takes this one capability; nothing else is kept.
        "securityContext": {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}, "readOnlyRootFilesystem": True},
        "podSecurityContext": {"runAsUser": 0, "runAsGroup": 0, "runAsNonRoot": False},
    }


class Traefik(Component):
    """The HelmChartConfig that k3s' helm-controller merges into its own chart."""

    def __init__(self, *, trusted: Sequence[str], provider: kubernetes.Provider) -> None:
        super().__init__("cluster:Traefik", "traefik", provider=provider)
        CustomResource(
            "traefik",
            api_version="helm.cattle.io/v1",
            kind="HelmChartConfig",
            metadata=ObjectMetaArgs(name="traefik", namespace="kube-system"),
            spec={"valuesContent": yaml.safe_dump(dict(chart_values(trusted=trusted)), sort_keys=True)},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
