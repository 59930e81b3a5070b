"""All parts of metrics and alerts that the settings switch on."""

from collections.abc import Sequence

import pulumi

from infra.cluster import Cluster, MonitoringReaders, Namespace, OtherWorkloads
from infra.monitoring.alerts import declare_alerts
from infra.monitoring.kube_state_metrics import KubeStateMetrics
from infra.monitoring.namespaces import Namespaces
from infra.monitoring.node_exporter import node_exporter
from infra.monitoring.obs import OBS, Obs
from infra.monitoring.ports import ALERTMANAGER, REDIS_EXPORTER
from infra.monitoring.redis_exporter import RedisExporter
from infra.monitoring.vmagent import Vmagent
from infra.names import MONITORING
from infra.settings.schema import Settings
from infra.settings.secrets import Secrets


def declare_monitoring(
    settings: Settings,
    secrets: Secrets,
    *,
    cluster: Cluster,
    namespace: Namespace,
    origin_certificate: pulumi.Output[str],
    admission: Sequence[pulumi.Resource],
    traefik: pulumi.Resource,
) -> None:
    """Nothing while `monitoring` is not set.

    `namespace` is that of the apps. `origin_certificate` is when that certificate expires, in RFC 3339. `admission` are
    the bindings of the policies for the new namespaces, and `traefik` is the configuration of its chart. No app depends
    on any of it, so that a release does not wait for an image of monitoring.
    """
    monitoring = settings.monitoring
    if monitoring is None:
        return
    provider = cluster.provider
    names = Namespaces(node_exporter=monitoring.node_exporter, provider=provider, depends_on=admission).names
    obs = Obs(monitoring, secrets, namespace=names[MONITORING], provider=provider)
    MonitoringReaders(names, secrets={MONITORING: [ALERTMANAGER, OBS, REDIS_EXPORTER]}, provider=provider)
    OtherWorkloads(
        settings.other_workloads,
        namespaces={MONITORING: names[MONITORING]},
        cluster=cluster,
        name="monitoring-other-workloads",
    )
    Vmagent(
        settings,
        monitoring,
        cluster=cluster,
        namespace=namespace,
        namespaces=names,
        credentials=obs.secret,
    )
    if monitoring.node_exporter:
        node_exporter(monitoring, cluster=cluster, namespaces=names, traefik=traefik)
    if monitoring.kube_state_metrics:
        KubeStateMetrics(monitoring, cluster=cluster, namespaces=names)
    if monitoring.redis_exporter:
        RedisExporter(
            settings,
            monitoring,
            secrets,
            cluster=cluster,
            namespace=namespace,
            namespaces=names,
        )
    if monitoring.alerts:
        declare_alerts(
            settings,
            monitoring,
            monitoring.alerts,
            secrets,
            origin_certificate=origin_certificate,
            cluster=cluster,
            namespaces=names,
            credentials=obs.secret,
        )
