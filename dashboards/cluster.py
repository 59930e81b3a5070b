"""The dashboard of the cluster: nodes, pods, the control plane, and monitoring itself."""

from dashboards.model import Dashboard, Line, Panel, Query, Unit
from infra.monitoring.rules import control_plane, nodes, pods
from infra.names import NODE_EXPORTER

PHYSICAL = 'device!~"lo|veth.+|cni.+|flannel.+"'
"""Interfaces of the node itself. The others carry the same packets again."""


def dashboard() -> Dashboard:
    return Dashboard(
        uid="honeydue-cluster",
        title="Cluster",
        description="Whether nodes, pods and the control plane have what they need.",
        panels=[_alerts(), *_nodes(), *_pods(), *_control_plane(), _buffer()],
    )


def _alerts() -> Panel:
    return Panel(
        title="Alerts that fire",
        unit=Unit.COUNT,
        jobs=["vmalert"],
        queries=[
            Query(
                expr='count(max(ALERTS{alertstate="firing"}) without (replica)) by (alertname, severity)',
                legend="{{alertname}} {{severity}}",
            )
        ],
        description="Watchdog always fires. Without it, alerting does not run.",
    )


def _nodes() -> list[Panel]:
    return [
        Panel(
            title="CPU in use",
            unit=Unit.RATIO,
            jobs=[NODE_EXPORTER],
            queries=[
                Query(expr='1 - avg(rate(node_cpu_seconds_total{mode="idle"}[5m])) by (node)', legend="{{node}}"),
            ],
            description="The share of all processors of a node. Near 100 %, pods without a request of CPU come last.",
        ),
        Panel(
            title="Memory available",
            unit=Unit.RATIO,
            jobs=[NODE_EXPORTER],
            queries=[Query(expr=nodes.MEMORY_RATIO, legend="{{node}}")],
            line=Line(value=nodes.MEMORY_AVAILABLE, alert="NodeMemoryLow"),
            description="Below the line, Kubernetes is close to evicting pods.",
        ),
        Panel(
            title="Disk in use",
            unit=Unit.RATIO,
            jobs=[NODE_EXPORTER],
            queries=[Query(expr=nodes.DISK_RATIO, legend="{{node}}")],
            line=Line(value=nodes.DISK_USED, alert="NodeDiskFull"),
            description="Kubelets delete images when 85 % are in use, and evict pods when 90 % are.",
        ),
        Panel(
            title="Network",
            unit=Unit.BYTES_PER_SECOND,
            jobs=[NODE_EXPORTER],
            queries=[
                Query(
                    expr=f"sum(rate(node_network_{direction}_bytes_total{{{PHYSICAL}}}[5m])) by (node)",
                    legend=f"{{{{node}}}} {direction}",
                )
                for direction in ("receive", "transmit")
            ],
            description="What each node receives and sends, also between nodes.",
        ),
    ]


def _pods() -> list[Panel]:
    return [
        Panel(
            title="Pods by node",
            unit=Unit.COUNT,
            jobs=[pods.EXPORTER],
            queries=[Query(expr="count(kube_pod_info) by (node)", legend="{{node}}")],
            description="After the loss of a node, its pods appear on the others.",
        ),
        Panel(
            title="Pods that are not ready",
            unit=Unit.COUNT,
            jobs=[pods.EXPORTER],
            queries=[
                Query(expr=f"sum({missing}) by (namespace)", legend=f"{{{{namespace}}}} {kind}")
                for kind, missing in pods.MISSING_PODS.items()
            ],
            description="Zero, except while a release replaces pods. PodsNotReady fires after fifteen minutes.",
        ),
        Panel(
            title="Restarts within fifteen minutes",
            unit=Unit.COUNT,
            jobs=[pods.EXPORTER],
            queries=[
                Query(
                    expr=f"max({pods.new_restarts(pods.RESTART_WINDOW)}) by (namespace, container)",
                    legend="{{namespace}} {{container}}",
                )
            ],
            line=Line(value=pods.RESTARTS, alert="ContainerRestarts"),
            description="Of the pod with the most restarts. A container that fails at once restarts five times.",
        ),
    ]


def _control_plane() -> list[Panel]:
    return [
        Panel(
            title="Mean duration of requests to etcd",
            unit=Unit.SECONDS,
            jobs=["apiserver"],
            queries=[Query(expr=control_plane.ETCD_DURATION, legend="{{node}}")],
            line=Line(value=control_plane.ETCD_SECONDS, alert="EtcdSlow"),
            description="As the API server of each node measures it. A slow disk of one member slows down all of them.",
        ),
        Panel(
            title="Failed requests to etcd",
            unit=Unit.RATIO,
            jobs=["apiserver"],
            queries=[
                Query(
                    # The counter of errors only exists after the first one.
                    expr=f"({control_plane.ETCD_FAILURES} or {control_plane.ETCD_REQUESTS} * 0) "
                    f"/ {control_plane.ETCD_REQUESTS}",
                    legend="{{node}}",
                )
            ],
            line=Line(value=control_plane.ETCD_ERRORS, alert="EtcdRequestsFail"),
            description="Without etcd, pods keep running, and nothing can change.",
        ),
        Panel(
            title="Writes of etcd to the disk, slowest percent",
            unit=Unit.SECONDS,
            jobs=["etcd"],
            queries=[Query(expr=control_plane.FSYNC_DURATION, legend="{{node}}")],
            line=Line(value=control_plane.FSYNC_SECONDS, alert="EtcdDiskSlow"),
            description="A member that is slower than the line loses its leadership. Only with etcd-expose-metrics.",
        ),
        Panel(
            title="DNS queries that CoreDNS cannot answer",
            unit=Unit.RATIO,
            jobs=["coredns"],
            queries=[
                Query(
                    expr=f"({control_plane.DNS_FAILURES} or vector(0)) / {control_plane.DNS_RESPONSES}",
                    legend="SERVFAIL",
                )
            ],
            line=Line(value=control_plane.DNS_ERRORS, alert="DnsFails"),
            description="The servers that CoreDNS asks are down, or the node cannot reach them.",
        ),
    ]


def _buffer() -> Panel:
    return Panel(
        title="Metrics that wait for obs",
        unit=Unit.BYTES,
        jobs=["vmagent"],
        queries=[Query(expr="sum(vmagent_remotewrite_pending_data_bytes) by (node)", legend="{{node}}")],
        description="Grows while obs is not reachable. When the buffer is full, the oldest metrics are lost.",
    )
