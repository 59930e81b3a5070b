"""vmalert: evaluates the alert rules with the metrics at obs.

Both pods evaluate all rules and send the same alerts, which Alertmanager sees as one. Each pod that starts restores
the alerts that wait for their `for` from obs, where both write them.
"""

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.apps.config import checksum
from infra.cluster import Cluster
from infra.component import Component
from infra.monitoring.alertmanager import PRIORITY, URLS
from infra.monitoring.connections import policy, to_internet, to_pods
from infra.monitoring.obs import CREDENTIALS, OBS
from infra.monitoring.ports import ALERTMANAGER, ALERTMANAGER_PORT, VMAGENT, VMALERT, VMALERT_PORT, selector
from infra.monitoring.rules.model import INTERVAL_SECONDS
from infra.monitoring.workload import Workload
from infra.names import MONITORING
from infra.pods import Pod, Probes, Resources
from infra.settings.monitoring import MonitoringSettings
from infra.settings.schema import Settings

REPLICAS = 2
RULES, RULES_CONFIG, RULES_FILE = "/etc/vmalert", "vmalert-rules", "rules.yaml"


def arguments(settings: Settings, monitoring: MonitoringSettings) -> list[str]:
    """No credentials: every user of the node can read the arguments of a process. vmalert appends paths to the URLs.

    https://docs.victoriametrics.com/victoriametrics/vmalert/#flags
    """
    obs = [
        argument
        for use in ("datasource", "remoteRead", "remoteWrite")
        for argument in (
            f"--{use}.url={monitoring.url}",
            f"--{use}.basicAuth.usernameFile={CREDENTIALS}/username",
            f"--{use}.basicAuth.passwordFile={CREDENTIALS}/password",
        )
    ]
    return [
        f"--rule={RULES}/{RULES_FILE}",
        *obs,
        *(f"--notifier.url={url}" for url in URLS),
        f"--external.label=cluster={settings.domain}",
        # An alert that is not sent again resolves after four times this time: an outage of obs that is shorter than
        # that sends no mails. The heartbeat stops as much later.
        f"--rule.resendDelay={INTERVAL_SECONDS}s",
        f"--httpListenAddr=:{VMALERT_PORT}",
        "--loggerFormat=json",
    ]


def vmalert_pod(settings: Settings, monitoring: MonitoringSettings, *, rules: pulumi.Output[str]) -> Pod:
    return Pod(
        name=VMALERT,
        component="alerts",
        image=monitoring.images.vmalert,
        port=VMALERT_PORT,
        args=arguments(settings, monitoring),
        probes=Probes(http_path="/health"),
        config_checksum=checksum({RULES_FILE: rules}),
        config_files={RULES: RULES_CONFIG},
        secret_files={CREDENTIALS: OBS},
        empty_dirs=(),
        distinct_nodes=True,
        priority_class=PRIORITY,
        resources=Resources(cpu=10, cpu_limit=200, memory=64, disk=64),
    )


class Vmalert(Component):
    """The pods, and the ConfigMap with their `rules`. `credentials` is the Secret for obs."""

    def __init__(
        self,
        settings: Settings,
        monitoring: MonitoringSettings,
        *,
        rules: pulumi.Output[str],
        cluster: Cluster,
        namespaces: Mapping[str, pulumi.Output[str]],
        credentials: pulumi.Resource,
    ) -> None:
        super().__init__("monitoring:Vmalert", VMALERT, provider=cluster.provider)
        config = ConfigMap(
            RULES_CONFIG,
            metadata=ObjectMetaArgs(name=RULES_CONFIG, namespace=namespaces[MONITORING]),
            data={RULES_FILE: rules},
            opts=self.child_options(),
        )
        Workload(
            vmalert_pod(settings, monitoring, rules=rules),
            kind="Deployment",
            replicas=REPLICAS,
            policy=policy(
                VMALERT,
                ingress={VMALERT_PORT: [VMAGENT]},
                egress=[
                    to_internet(cluster.addresses, monitoring.port),
                    to_pods(selector(ALERTMANAGER), ALERTMANAGER_PORT),
                ],
            ),
            namespace=namespaces[MONITORING],
            cluster=cluster,
            depends_on=[config, credentials],
        )
        self.register_outputs({})
