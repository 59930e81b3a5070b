"""How this program reaches the cluster."""

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from infra.component import Component
from infra.schema import ClusterSettings


class Cluster(Component):
    """The Kubernetes provider that every object names.

    Attributes:
        provider: the only way to the cluster; default providers are disabled.
        kubeconfig: secret.
    """

    provider: kubernetes.Provider
    kubeconfig: pulumi.Output[str]

    def __init__(self, settings: ClusterSettings, *, kubeconfig: pulumi.Output[str], after: Sequence[pulumi.Resource]) -> None:
        super().__init__("cluster:Cluster", "cluster")
        self.kubeconfig = pulumi.Output.secret(kubeconfig)
        self.provider = kubernetes.Provider(
            "k3s",
            kubeconfig=self.kubeconfig,
            # Explicit: a kubeconfig with several contexts would otherwise send everything to whichever is current.
            context=settings.context,
            # Without it, a renewed client certificate or an unknown kubeconfig plans a replacement of every object.
            cluster_identifier="honeydue",
            enable_server_side_apply=True,
            # A changed ConfigMap or Secret keeps its name; pods roll by the checksum they carry (infra/apps/config.py).
            enable_config_map_mutable=True,
            enable_secret_mutable=True,
            # Deleting a server must never let the engine forget objects because the API is briefly away.
            delete_unreachable=False,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        self.register_outputs({})
