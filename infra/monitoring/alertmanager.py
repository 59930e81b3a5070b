"""Alertmanager: two pods that exchange which mails were sent, so that each mail is sent once."""

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgs, NetworkPolicyIngressRuleArgs

from infra.apps.config import checksum
from infra.cluster import Cluster
from infra.cluster.network_policies import HTTPS, ClusterAddresses
from infra.cluster.secret import secret
from infra.component import Component
from infra.monitoring.alertmanager_config import MailServer, configuration
from infra.monitoring.connections import pods, policy, ports, to_internet, to_pods
from infra.monitoring.ports import ALERTMANAGER, ALERTMANAGER_PORT, VMAGENT, VMALERT, selector
from infra.monitoring.workload import Workload
from infra.names import MONITORING
from infra.pods import Pod, Probes, Resources
from infra.settings.apps import MAIL_HOST
from infra.settings.monitoring import AlertSettings, MonitoringSettings
from infra.settings.schema import Settings
from infra.settings.secrets import Secrets

REPLICAS = 2
PRIORITY = "system-cluster-critical"
"""When a node fails and the others are full, alerts run before the apps."""
GOSSIP_PORT = 9094
CONFIG, CONFIG_FILE, STATE = "/etc/alertmanager", "alertmanager.yml", "/alertmanager"
NAMES = [f"{ALERTMANAGER}-{number}.{ALERTMANAGER}.{MONITORING}.svc" for number in range(REPLICAS)]
"""The DNS names of the pods."""
URLS = [f"http://{name}:{ALERTMANAGER_PORT}" for name in NAMES]


def config_file(settings: Settings, alerts: AlertSettings, secrets: Secrets) -> pulumi.Output[str]:
    """The configuration, which is secret as a whole."""
    return pulumi.Output.all(
        password=secrets.email_password,
        webhook=secrets.alert_webhook_url if alerts.webhook else None,
        heartbeat=secrets.heartbeat_url if alerts.heartbeat else None,
    ).apply(
        lambda values: configuration(
            MailServer(
                host=settings.environment[MAIL_HOST],
                port=str(settings.mail_port),
                user=settings.email_user,
                password=values["password"],
            ),
            cluster=settings.domain,
            recipient=alerts.recipient or settings.admin_email,
            webhook_url=values["webhook"],
            heartbeat_url=values["heartbeat"],
        )
    )


def alertmanager_pod(monitoring: MonitoringSettings, *, config: pulumi.Output[str]) -> Pod:
    """One of the pods. Silences and the log of sent mails are in memory and on both, so no volume has to survive."""
    return Pod(
        name=ALERTMANAGER,
        component="alerts",
        image=monitoring.images.alertmanager,
        port=ALERTMANAGER_PORT,
        other_ports={"gossip": GOSSIP_PORT},
        args=[
            f"--config.file={CONFIG}/{CONFIG_FILE}",
            f"--storage.path={STATE}",
            f"--web.listen-address=:{ALERTMANAGER_PORT}",
            f"--cluster.listen-address=0.0.0.0:{GOSSIP_PORT}",
            *(f"--cluster.peer={name}:{GOSSIP_PORT}" for name in NAMES),
            "--log.format=json",
        ],
        probes=Probes(http_path="/-/healthy"),
        config_checksum=checksum({CONFIG_FILE: config}),
        secret_files={CONFIG: ALERTMANAGER},
        empty_dirs=(STATE,),
        distinct_nodes=True,
        priority_class=PRIORITY,
        resources=Resources(cpu=10, cpu_limit=200, memory=64, disk=64),
    )


def egress(
    alerts: AlertSettings, addresses: ClusterAddresses, *, mail_port: int
) -> Sequence[NetworkPolicyEgressRuleArgs]:
    """The other pod, the mail server and, only if they are set, the services that get HTTPS requests."""
    internet = [mail_port, *([HTTPS] if alerts.webhook or alerts.heartbeat else [])]
    return [
        to_pods(selector(ALERTMANAGER), GOSSIP_PORT),
        NetworkPolicyEgressRuleArgs(to=[pods(selector(ALERTMANAGER))], ports=ports(GOSSIP_PORT, protocol="UDP")),
        to_internet(addresses, *internet),
    ]


class Alertmanager(Component):
    """The pods and their configuration."""

    def __init__(
        self,
        settings: Settings,
        monitoring: MonitoringSettings,
        alerts: AlertSettings,
        secrets: Secrets,
        *,
        cluster: Cluster,
        namespaces: Mapping[str, pulumi.Output[str]],
    ) -> None:
        super().__init__("monitoring:Alertmanager", ALERTMANAGER, provider=cluster.provider)
        config = config_file(settings, alerts, secrets)
        content = secret(ALERTMANAGER, {CONFIG_FILE: config}, namespace=namespaces[MONITORING], parent=self)
        gossip = NetworkPolicyIngressRuleArgs(
            from_=[pods(selector(ALERTMANAGER))], ports=ports(GOSSIP_PORT, protocol="UDP")
        )
        Workload(
            alertmanager_pod(monitoring, config=config),
            kind="StatefulSet",
            replicas=REPLICAS,
            policy=policy(
                ALERTMANAGER,
                ingress={ALERTMANAGER_PORT: [VMALERT, VMAGENT], GOSSIP_PORT: [ALERTMANAGER]},
                more_ingress=[gossip],
                egress=egress(alerts, cluster.addresses, mail_port=settings.mail_port),
            ),
            namespace=namespaces[MONITORING],
            cluster=cluster,
            depends_on=[content],
        )
        self.register_outputs({})
