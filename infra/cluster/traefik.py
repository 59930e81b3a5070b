"""Configuration of the Traefik that k3s bundles: on every node, on the host network, port 443 only.

Values: https://github.com/traefik/traefik-helm-chart/blob/master/traefik/VALUES.md
"""

from collections.abc import Mapping, Sequence

import pulumi_kubernetes as kubernetes
import yaml
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.component import Component
from infra.names import KUBE_SYSTEM, NAMESPACE

METRICS_PORT = 9101
"""The Hetzner firewall only allows 443, so nothing outside reaches this port. Port 9100 is that of node exporters."""


def ports(*, trusted: Sequence[str]) -> Mapping[str, object]:
    """The ports of Traefik. On the host network, each is a port of the node."""
    return {
        # Cloudflare connects only with HTTPS. null removes the port of the chart, so that nothing listens on port 80.
        "web": None,
        "websecure": {
            "port": 443,
            "hostPort": 443,
            # Traefik trusts the headers of these proxies and removes those of other clients.
            "forwardedHeaders": {"trustedIPs": list(trusted)},
        },
        # For the probes of the kubelet, which uses the same loopback interface.
        "traefik": {"port": 8080, "hostIP": "127.0.0.1"},
        "metrics": {"port": METRICS_PORT},
    }


def security() -> Mapping[str, object]:
    """The privileges that port 443 needs.

    root with a single capability. containerd grants NET_BIND_SERVICE to other users in a form that a plain binary
    cannot use (no ambient capabilities, KEP-2763), and Kubernetes rejects the sysctl for low ports in pods on the host
    network.
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
    """JSON lines. Only headers that identify the client are logged: no cookie, token or password."""
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
    """Values of Traefik's Helm chart. `trusted` are the proxies whose forwarded headers Traefik trusts."""
    # Only the app namespace: with a second TLSOption named `default` in any watched namespace, Traefik ignores both.
    namespaces = {"namespaces": [NAMESPACE], "allowExternalNameServices": False}
    return {
        # No disruption budget: a drain ignores DaemonSets, and a budget does not support them.
        "deployment": {
            "kind": "DaemonSet",
            "podAnnotations": {"prometheus.io/scrape": "true", "prometheus.io/port": str(METRICS_PORT)},
        },
        "hostNetwork": True,
        # On the host network, two pods of one node cannot both listen on port 443.
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
        # Evicted last, because a node without Traefik serves no requests.
        "priorityClassName": "system-node-critical",
        # Cloudflare connects to the nodes. A Service of type LoadBalancer would open ports 80 and 443 again.
        "service": {"enabled": False},
        "ports": ports(trusted=trusted),
        **security(),
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
        "providers": {
            "kubernetesCRD": {**namespaces, "allowCrossNamespace": False},
            # There is no Service whose address Traefik could write to the status of an Ingress.
            "kubernetesIngress": {**namespaces, "publishedService": {"enabled": False}},
        },
        "additionalArguments": [
            # The time after which the retry middleware tries another pod (infra/cluster/middlewares.py). The default is
            # 30 s.
            "--serversTransport.forwardingTimeouts.dialTimeout=1s",
            # No connection reuse: on an open connection, a request to a failed node is sent, gets no response and is
            # not retried.
            "--serversTransport.maxIdleConnsPerHost=-1",
        ],
        "logs": logs(),
        "metrics": {"prometheus": {"entryPoint": "metrics", "addRoutersLabels": True}},
        # The API and its dashboard disclose all routes and middlewares.
        "api": {"dashboard": False},
        "ingressRoute": {"dashboard": {"enabled": False}},
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
    }


class Traefik(Component):
    """The HelmChartConfig, which k3s' helm-controller merges into the values of its chart."""

    def __init__(self, *, trusted: Sequence[str], provider: kubernetes.Provider) -> None:
        super().__init__("cluster:Traefik", "traefik", provider=provider)
        CustomResource(
            "traefik",
            api_version="helm.cattle.io/v1",
            kind="HelmChartConfig",
            metadata=ObjectMetaArgs(name="traefik", namespace=KUBE_SYSTEM),
            spec={"valuesContent": yaml.safe_dump(dict(chart_values(trusted=trusted)), sort_keys=True)},
            opts=self.child_options(),
        )
        self.register_outputs({})
