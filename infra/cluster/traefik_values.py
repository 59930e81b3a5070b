"""Values of the Traefik chart that k3s bundles: on every node, on the host network, port 443 only.

https://github.com/traefik/traefik-helm-chart/blob/master/traefik/VALUES.md. Every chart in infra/k3s_charts.py takes
these values.
"""

from collections.abc import Mapping, Sequence

from infra.names import NAMESPACE

CF_RAY = "Cf-Ray"
"""The header that Cloudflare adds to every request."""
DURATION_BUCKETS = (0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 1.0, 2.5, 5.0, 10.0)
"""The bounds of the histograms of durations, in seconds. Quantiles are interpolated between two of them, so there is a
bound at each threshold of an alert rule, and one close to it on each side (infra/monitoring/rules/)."""
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
            # Without a default, a route that names no entry point is served on all of them, the metrics port included.
            "asDefault": True,
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


def log_arguments() -> Sequence[str]:
    """JSON lines. Only headers that identify the client are logged: no cookie, token or password.

    Options of Traefik and not values of the chart: chart 41 renamed the values, and k3s' copies of the chart ignore
    values that they do not know.
    """
    return [
        "--log.format=json",
        "--accesslog=true",
        "--accesslog.format=json",
        "--accesslog.fields.defaultmode=keep",
        "--accesslog.fields.names.ClientUsername=drop",
        "--accesslog.fields.headers.defaultmode=drop",
        *(f"--accesslog.fields.headers.names.{name}=keep" for name in ("Cf-Connecting-Ip", CF_RAY, "User-Agent")),
    ]


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
            *log_arguments(),
        ],
        "metrics": {
            "prometheus": {
                "entryPoint": "metrics",
                "addRoutersLabels": True,
                "buckets": ",".join(map(str, DURATION_BUCKETS)),
            }
        },
        # The API and its dashboard disclose all routes and middlewares. null removes the default of the chart, which
        # passes every other value to Traefik as an option, and each option of the API enables it. Not `api: null`:
        # chart 38, in early patch releases of k3s 1.34, cannot be rendered without the map.
        "api": {"dashboard": None},
        # The chart's ClusterRole can read every Secret of the cluster. infra/cluster/traefik.py declares others.
        "rbac": {"enabled": False},
        "ingressRoute": {"dashboard": {"enabled": False}},
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
    }
