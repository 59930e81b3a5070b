"""The agent for logs and what it needs."""

from collections.abc import Sequence

import pulumi

from infra.cluster import Cluster, MonitoringReaders
from infra.cluster.rbac import rules
from infra.cluster.secret import secret
from infra.component import Component
from infra.logs.vlagent import cluster_rules, egress, own_pod_rules, vlagent_pod
from infra.monitoring.accounts import grant_everywhere, grant_in_namespace
from infra.monitoring.connections import policy
from infra.monitoring.namespaces import PRIVILEGED, isolated_namespace
from infra.monitoring.ports import VLAGENT_PORT, VMAGENT
from infra.monitoring.workload import Workload
from infra.names import LOGS, VLAGENT
from infra.settings.logs import LogSettings
from infra.settings.schema import Settings
from infra.settings.secrets import Secrets


class Logs(Component):
    """The namespace, the credentials and the agents."""

    def __init__(
        self,
        settings: Settings,
        logs: LogSettings,
        password: pulumi.Output[str],
        *,
        cluster: Cluster,
        admission: Sequence[pulumi.Resource],
    ) -> None:
        super().__init__("logs:Logs", LOGS, provider=cluster.provider)
        namespace = isolated_namespace(LOGS, PRIVILEGED, parent=self, depends_on=admission)
        MonitoringReaders(
            {LOGS: namespace}, secrets={LOGS: [VLAGENT]}, provider=cluster.provider, component="logs-readers"
        )
        credentials = secret(
            VLAGENT, {"username": logs.username, "password": password}, namespace=namespace, parent=self
        )
        granted = [
            grant_everywhere(VLAGENT, cluster_rules(), parent=self, account_namespace=LOGS),
            grant_in_namespace(
                VLAGENT,
                own_pod_rules(),
                namespace=LOGS,
                namespace_name=namespace,
                parent=self,
                account_namespace=LOGS,
            ),
        ]
        if settings.monitoring:
            grant_in_namespace(
                VMAGENT, rules({"": ["pods"]}, "list", "watch"), namespace=LOGS, namespace_name=namespace, parent=self
            )
        Workload(
            vlagent_pod(settings, logs),
            kind="DaemonSet",
            policy=policy(
                VLAGENT,
                ingress={VLAGENT_PORT: [VMAGENT]} if settings.monitoring else {},
                egress=egress(logs, cluster.addresses),
            ),
            namespace=namespace,
            cluster=cluster,
            depends_on=[credentials, *granted],
        )
        self.register_outputs({})


def declare_logs(
    settings: Settings, secrets: Secrets, *, cluster: Cluster, admission: Sequence[pulumi.Resource]
) -> None:
    """Nothing while `logs` is not set. `admission` are the bindings of the policies for the new namespace.

    No app depends on it, so that a release does not wait for the image of the agent.
    """
    if settings.logs is None:
        return
    if secrets.logs_password is None:
        raise ValueError("logsPassword is required with logs")
    Logs(settings, settings.logs, secrets.logs_password, cluster=cluster, admission=admission)
