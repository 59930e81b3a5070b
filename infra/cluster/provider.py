"""How this program reaches the cluster."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_hcloud as hcloud
import pulumi_kubernetes as kubernetes

from infra.cluster.kubeconfig import Administrator, written
from infra.component import Component
from infra.machines.ca import Authority
from infra.settings.schema import Settings
from infra.settings.topology import servers


def founded(
    settings: Settings,
    authority: Authority,
    *,
    addresses: Mapping[str, pulumi.Output[str]],
    machines: Mapping[str, hcloud.Server],
) -> pulumi.Output[str]:
    """The kubeconfig of a cluster that this program founds: known when the servers stand, and good when one of them answers."""
    if authority.administrator is None:
        raise ValueError("an existing cluster has its kubeconfig in the settings")
    certificate, key = authority.administrator
    known = pulumi.Output.all(
        authority=authority.files["server-ca.crt"],
        certificate=certificate,
        key=key,
        addresses={alias: addresses[alias] for alias in servers(settings.nodes)},
        # Not used, but unknown until the servers stand: before that there is nobody to ask.
        machines=[machine.id for machine in machines.values()],
    )

    return known.apply(
        lambda parts: written(
            Administrator(authority=parts["authority"], certificate=parts["certificate"], key=parts["key"]),
            addresses=parts["addresses"],
            context=settings.cluster.context,
        )
    )


class Cluster(Component):
    """The Kubernetes provider that every object names.

    Attributes:
        provider: the only way to the cluster; default providers are disabled.
        kubeconfig: secret.
    """

    provider: kubernetes.Provider
    kubeconfig: pulumi.Output[str]

    def __init__(self, context: str, *, kubeconfig: pulumi.Output[str], after: Sequence[pulumi.Resource]) -> None:
        super().__init__("cluster:Cluster", "cluster")
        self.kubeconfig = pulumi.Output.secret(kubeconfig)
        self.provider = kubernetes.Provider(
            "k3s",
            kubeconfig=self.kubeconfig,
            # Explicit: a kubeconfig with several contexts would otherwise send everything to whichever is current.
            context=context,
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
