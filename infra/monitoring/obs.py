"""The credentials for VictoriaMetrics, which vmagent writes to and vmalert reads from."""

import pulumi
import pulumi_kubernetes as kubernetes

from infra.cluster.secret import secret
from infra.component import Component
from infra.settings.monitoring import MonitoringSettings
from infra.settings.secrets import Secrets

OBS = "obs"
"""The name of the Secret."""
CREDENTIALS = "/etc/obs"
"""Where pods mount it. The programs read the files again when they change."""


class Obs(Component):
    """The Secret with the keys `username` and `password`.

    Attributes:
        secret: a dependency of the pods that mount it.
    """

    secret: pulumi.Resource

    def __init__(
        self,
        monitoring: MonitoringSettings,
        secrets: Secrets,
        *,
        namespace: pulumi.Input[str],
        provider: kubernetes.Provider,
    ) -> None:
        super().__init__("monitoring:Obs", OBS, provider=provider)
        if secrets.metrics_password is None:
            raise ValueError("metricsPassword is required with monitoring")
        self.secret = secret(
            OBS,
            {"username": monitoring.username, "password": secrets.metrics_password},
            namespace=namespace,
            parent=self,
        )
        self.register_outputs({})
