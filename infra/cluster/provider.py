"""The Kubernetes provider and the kubeconfig that it uses."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from infra.cluster.kubeconfig import kubeconfig_yaml
from infra.cluster.network_policies import ClusterAddresses
from infra.component import Component
from infra.kubeconfig import Credentials
from infra.machines import ClusterCA, Servers
from infra.settings import topology
from infra.settings.schema import Settings
from infra.settings.topology import ClusterSettings


def bootstrapped_kubeconfig(
    settings: Settings, *, ca: ClusterCA, addresses: Mapping[str, pulumi.Output[str]], servers: Servers
) -> pulumi.Output[str]:
    """The kubeconfig of a cluster that this program bootstraps. It resolves when a server is ready."""
    if ca.administrator is None:
        raise ValueError("the kubeconfig of an existing cluster is in the settings")
    certificate, key = ca.administrator
    resolved = pulumi.Output.all(
        ca_certificate=ca.files["server-ca.crt"],
        certificate=certificate,
        key=key,
        addresses={alias: addresses[alias] for alias in topology.servers(settings.nodes)},
        # Unused, but unknown until the servers exist: before that, there is no API to wait for.
        server_ids=[server.id for server in servers.by_alias.values()],
    )
    return resolved.apply(
        lambda values: kubeconfig_yaml(
            Credentials(
                ca_certificate=values["ca_certificate"],
                client_certificate=values["certificate"],
                client_key=values["key"],
            ),
            addresses=values["addresses"],
            context=settings.cluster.context,
        )
    )


class Cluster(Component):
    """What the objects of the cluster need: the provider, and the addresses for network policies.

    Attributes:
        provider: the provider of every Kubernetes object; default providers are disabled.
        kubeconfig: secret.
        context: the context of the kubeconfig.
        addresses: of the nodes, the pods and the Services.
    """

    provider: kubernetes.Provider
    kubeconfig: pulumi.Output[str]
    context: str
    addresses: ClusterAddresses

    def __init__(
        self,
        settings: ClusterSettings,
        *,
        kubeconfig: pulumi.Output[str],
        nodes: Sequence[pulumi.Output[str]],
        depends_on: Sequence[pulumi.Resource],
    ) -> None:
        super().__init__("cluster:Cluster", "cluster")
        self.addresses = ClusterAddresses(
            pod_cidr=str(settings.pod_cidr), service_cidr=str(settings.service_cidr), nodes=nodes
        )
        self.kubeconfig = pulumi.Output.secret(kubeconfig)
        self.context = settings.context
        self.provider = kubernetes.Provider(
            "k3s",
            kubeconfig=self.kubeconfig,
            # Explicit. Otherwise a kubeconfig with several contexts would use its current context.
            context=self.context,
            # Otherwise a renewed client certificate or an unknown kubeconfig would replace every object.
            cluster_identifier="honeydue",
            enable_server_side_apply=True,
            # A changed ConfigMap or Secret keeps its name. A checksum annotation rolls the pods (infra/apps/config.py).
            enable_config_map_mutable=True,
            enable_secret_mutable=True,
            # When the API is unreachable for a moment, the engine must not remove objects from the state.
            delete_unreachable=False,
            opts=self.child_options(depends_on=depends_on),
        )
        self.register_outputs({})
