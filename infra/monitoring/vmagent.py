"""vmagent: collects the metrics of its own node and sends them to VictoriaMetrics.

One on every node, because the firewall closes the metrics port of Traefik between nodes.
"""

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap, EnvVarArgs, EnvVarSourceArgs, ObjectFieldSelectorArgs
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgs, NetworkPolicySpecArgs
from pulumi_kubernetes.rbac.v1 import PolicyRuleArgs

from infra.apps.config import checksum
from infra.cluster import Cluster, Namespace
from infra.cluster.namespace import network_policy
from infra.cluster.network_policies import ClusterAddresses
from infra.cluster.rbac import rules
from infra.cluster.traefik_values import METRICS_PORT
from infra.component import Component
from infra.monitoring import ports
from infra.monitoring.accounts import grant_everywhere, grant_in_namespace
from infra.monitoring.connections import ingress_policy, ingress_policy_name, policy, to_internet, to_nodes, to_pods
from infra.monitoring.obs import CREDENTIALS, OBS
from infra.monitoring.scraping import configuration_text
from infra.monitoring.workload import Workload
from infra.names import KUBE_SYSTEM, LOGS, MONITORING, NAMESPACE, VLAGENT
from infra.pods import Pod, Probes, Resources
from infra.settings.monitoring import MonitoringSettings
from infra.settings.schema import Settings

CONFIG, BUFFER = "/etc/vmagent", "/buffer"
CONFIG_FILE = "scrape.yaml"
SERIES_PER_TARGET = 20_000
"""The series that one target may create in a day."""
LOGS_MI = 64


def arguments(settings: Settings, monitoring: MonitoringSettings) -> list[str]:
    """No credentials: every user of the node can read the arguments of a process."""
    return [
        f"--promscrape.config={CONFIG}/{CONFIG_FILE}",
        f"--promscrape.seriesLimitPerTarget={SERIES_PER_TARGET}",
        f"--remoteWrite.url={monitoring.url}/api/v1/write",
        f"--remoteWrite.basicAuth.usernameFile={CREDENTIALS}/username",
        f"--remoteWrite.basicAuth.passwordFile={CREDENTIALS}/password",
        f"--remoteWrite.label=cluster={settings.domain}",
        f"--remoteWrite.tmpDataPath={BUFFER}",
        # Without a limit, the buffer fills the disk of the node. Above it, vmagent drops the oldest data.
        f"--remoteWrite.maxDiskUsagePerURL={monitoring.queue_mi}MiB",
        f"--remoteWrite.maxHourlySeries={monitoring.max_series}",
        f"--httpListenAddr=:{ports.VMAGENT_PORT}",
        "--loggerFormat=json",
    ]


def field_variable(name: str, path: str) -> EnvVarArgs:
    """A variable with a field of the pod."""
    # The API server adds the version, which `make drift` would report.
    field = ObjectFieldSelectorArgs(api_version="v1", field_path=path)
    return EnvVarArgs(name=name, value_from=EnvVarSourceArgs(field_ref=field))


def vmagent_pod(settings: Settings, monitoring: MonitoringSettings, *, config: str) -> Pod:
    """The pod. `config` is the text of its configuration."""
    return Pod(
        name=ports.VMAGENT,
        component="agent",
        image=monitoring.images.vmagent,
        port=ports.VMAGENT_PORT,
        args=arguments(settings, monitoring),
        environment=[field_variable("NODE_NAME", "spec.nodeName"), field_variable("HOST_IP", "status.hostIP")],
        probes=Probes(http_path="/health"),
        config_checksum=checksum({CONFIG_FILE: config}),
        config_files={CONFIG: ports.VMAGENT},
        secret_files={CREDENTIALS: OBS},
        empty_dirs=(BUFFER,),
        empty_dir_mi=monitoring.buffer_mi,
        every_node=True,
        service_account_token=True,
        resources=Resources(cpu=50, cpu_limit=500, memory=256, disk=monitoring.buffer_mi + LOGS_MI),
    )


def cluster_rules() -> list[PolicyRuleArgs]:
    """Discovery of the node, and the metrics of kubelet and API server.

    Not nodes/proxy, which kubelets accept as well: with it, an account can run commands in every pod.
    """
    return [
        *rules({"": ["nodes"]}, "get", "list", "watch"),
        *rules({"": ["nodes/metrics"]}, "get"),
        PolicyRuleArgs(non_resource_urls=["/metrics"], verbs=["get"]),
    ]


def egress(monitoring: MonitoringSettings, addresses: ClusterAddresses) -> list[NetworkPolicyEgressRuleArgs]:
    """Its destinations. Of the ports of nodes, a pod only uses those of its own one, but all nodes have one policy."""
    host_ports = [METRICS_PORT, ports.KUBELET_PORT, ports.API_SERVER_PORT, ports.ETCD_PORT]
    parts = {
        ports.KUBE_STATE_METRICS: ports.KUBE_STATE_METRICS_PORT if monitoring.kube_state_metrics else None,
        ports.REDIS_EXPORTER: ports.REDIS_EXPORTER_PORT if monitoring.redis_exporter else None,
        ports.VMALERT: ports.VMALERT_PORT if monitoring.alerts else None,
        ports.ALERTMANAGER: ports.ALERTMANAGER_PORT if monitoring.alerts else None,
    }
    return [
        to_internet(addresses, monitoring.port),
        to_nodes(addresses, *host_ports, *([ports.NODE_EXPORTER_PORT] if monitoring.node_exporter else [])),
        to_pods(ports.COREDNS_LABELS, ports.COREDNS_PORT, namespace=KUBE_SYSTEM),
        *(to_pods(ports.selector(part), port) for part, port in parts.items() if port is not None),
    ]


class Vmagent(Component):
    """The agents, their permissions, and the policies of the pods of other namespaces that they scrape."""

    def __init__(
        self,
        settings: Settings,
        monitoring: MonitoringSettings,
        *,
        cluster: Cluster,
        namespace: Namespace,
        namespaces: Mapping[str, pulumi.Output[str]],
        credentials: pulumi.Resource,
    ) -> None:
        super().__init__("monitoring:Vmagent", ports.VMAGENT, provider=cluster.provider)
        text = configuration_text(settings, monitoring)
        config = ConfigMap(
            ports.VMAGENT,
            metadata=ObjectMetaArgs(name=ports.VMAGENT, namespace=namespaces[MONITORING]),
            data={CONFIG_FILE: text},
            opts=self.child_options(),
        )
        scraped: dict[str, pulumi.Input[str]] = {KUBE_SYSTEM: KUBE_SYSTEM, MONITORING: namespaces[MONITORING]}
        if monitoring.api:
            scraped[NAMESPACE] = namespace.name
        pods = rules({"": ["pods"]}, "get", "list", "watch")
        granted = [
            grant_everywhere(ports.VMAGENT, cluster_rules(), parent=self),
            *(
                grant_in_namespace(ports.VMAGENT, pods, namespace=name, namespace_name=output, parent=self)
                for name, output in scraped.items()
            ),
        ]
        coredns = ingress_policy(ports.COREDNS_LABELS, client=ports.VMAGENT, port=ports.COREDNS_PORT)
        allowed = [self._allow_ingress(KUBE_SYSTEM, "coredns", coredns)]
        rules_of_vmagent = egress(monitoring, cluster.addresses)
        if settings.logs:
            rules_of_vmagent.append(to_pods(ports.selector(VLAGENT), ports.VLAGENT_PORT, namespace=LOGS))
        if monitoring.api:
            labels = settings.adopted.selector("api")
            spec = ingress_policy(labels, client=ports.VMAGENT, port=monitoring.api.port)
            allowed.append(self._allow_ingress(namespace.name, "api", spec))
            rules_of_vmagent.append(to_pods(labels, monitoring.api.port, namespace=NAMESPACE))
        Workload(
            vmagent_pod(settings, monitoring, config=text),
            kind="DaemonSet",
            policy=policy(ports.VMAGENT, ingress={}, egress=rules_of_vmagent),
            namespace=namespaces[MONITORING],
            cluster=cluster,
            depends_on=[config, credentials, *granted, *allowed],
        )
        self.register_outputs({})

    def _allow_ingress(self, namespace: pulumi.Input[str], target: str, spec: NetworkPolicySpecArgs) -> pulumi.Resource:
        name = ingress_policy_name(target, client=ports.VMAGENT)
        return network_policy(namespace, name, spec, self.child_options(), other_pods=target == "coredns")
