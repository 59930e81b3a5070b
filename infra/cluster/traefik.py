"""Traefik as k3s bundles it, changed where the book changes it (ch06): on every node, on the node's own network, 443 alone.

Values: https://github.com/traefik/traefik-helm-chart/blob/master/traefik/VALUES.md
"""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes
import yaml
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.cluster.namespace import NAMESPACE
from infra.component import Component

METRICS_PORT = 9101
"""Open to nobody outside the node: the Hetzner firewall lets 443 in and not this. 9100 is the node exporter's."""


def ports(*, trusted: Sequence[str]) -> Mapping[str, object]:
    """Where Traefik listens. On the host network each of these is a port of the node."""
    return {
        # Cloudflare speaks HTTPS alone to the origin: port 80 is not merely unexposed, nothing listens (null removes the chart's own).
        "web": None,
        "websecure": {
            "port": 443,
            "hostPort": 443,
            # Believed from these proxies, removed from anyone else's requests.
            "forwardedHeaders": {"trustedIPs": list(trusted)},
        },
        # The kubelet's probes; on the loopback, which the kubelet shares.
        "traefik": {"port": 8080, "hostIP": "127.0.0.1"},
        "metrics": {"port": METRICS_PORT},
    }


def security() -> Mapping[str, object]:
    """As little as port 443 takes.

    Root without any right but that one: to another user containerd would hand NET_BIND_SERVICE in a form that a plain binary
    cannot use (no ambient capabilities, KEP-2763), and the sysctl that frees low ports is refused to pods on the host network.
    """
    return {
        "podSecurityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "runAsNonRoot": False,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
            "readOnlyRootFilesystem": True,
        },
    }


def logs() -> Mapping[str, object]:
    """JSON lines. Of the headers only what tells visitors apart: no cookie, no token, no password."""
    return {
        "general": {"format": "json", "level": "INFO"},
        "access": {
            "enabled": True,
            "format": "json",
            "fields": {
                "general": {"defaultmode": "keep", "names": {"ClientUsername": "drop"}},
                "headers": {
                    "defaultmode": "drop",
                    "names": {"Cf-Connecting-Ip": "keep", "Cf-Ray": "keep", "User-Agent": "keep"},
                },
            },
        },
    }


def chart_values(*, trusted: Sequence[str]) -> Mapping[str, object]:
    """Values of Traefik's Helm chart; `trusted` are the proxies whose forwarded headers are believed."""
    # Its own namespace alone: a second TLSOption named `default`, anywhere it looks, would switch off both.
    namespaces = {"namespaces": [NAMESPACE], "allowExternalNameServices": False}
    return {
        # No disruption budget: a drain leaves DaemonSets alone, and a budget cannot count them.
        "deployment": {
            "kind": "DaemonSet",
            "podAnnotations": {"prometheus.io/scrape": "true", "prometheus.io/port": str(METRICS_PORT)},
        },
        "hostNetwork": True,
        # On the host network two pods of one node cannot hold port 443 at once.
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
        # A node without it serves nothing: it is evicted last.
        "priorityClassName": "system-node-critical",
        # Cloudflare connects to the nodes themselves; a Service of type LoadBalancer would open 80 and 443 a second time.
        "service": {"enabled": False},
        "ports": ports(trusted=trusted),
        **security(),
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
        "providers": {
            "kubernetesCRD": {**namespaces, "allowCrossNamespace": False},
            # There is no Service whose address an Ingress could be given.
            "kubernetesIngress": {**namespaces, "publishedService": {"enabled": False}},
        },
        "additionalArguments": [
            # How long the pod of a dead node is tried before the next one (infra/cluster/middlewares.py): 30 s otherwise.
            "--serversTransport.forwardingTimeouts.dialTimeout=1s",
            # A new connection each time: on one that was kept, a request to a dead node is sent and never answered, and not tried again.
            "--serversTransport.maxIdleConnsPerHost=-1",
        ],
        "logs": logs(),
        "metrics": {"prometheus": {"entryPoint": "metrics", "addRoutersLabels": True}},
        # The API and its dashboard tell everybody's routes and middlewares.
        "api": {"dashboard": False},
        "ingressRoute": {"dashboard": {"enabled": False}},
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
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
