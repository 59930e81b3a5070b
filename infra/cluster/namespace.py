"""The namespaces: the product's with Pod Security *restricted* enforced (book ch05), and what guards those of Kubernetes itself."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core.v1 import Namespace as NamespaceResource
from pulumi_kubernetes.core.v1 import ServiceAccountPatch
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs, ObjectMetaPatchArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy, NetworkPolicySpecArgs

from infra.cluster import network_policies
from infra.cluster.network_policies import Network
from infra.component import Component

NAMESPACE = "honeydue"
DENY_ALL = "default-deny"
SIGNATURES = "securesystemsengineering.connaisseur/webhook"
"""The label by which Connaisseur knows whose images to check (infra/apps/signatures.py)."""


def tokenless(namespace: pulumi.Input[str], name: str, opts: pulumi.ResourceOptions) -> ServiceAccountPatch:
    """Whoever names no ServiceAccount gets `default`, and with this no token of it (CIS 5.1.5).

    A patch, as Kubernetes makes the account itself: deleting it takes back this one field.
    """
    return ServiceAccountPatch(
        f"{name}-default",
        metadata=ObjectMetaPatchArgs(name="default", namespace=namespace),
        automount_service_account_token=False,
        opts=opts,
    )


def policy(
    namespace: pulumi.Input[str], name: str, spec: NetworkPolicySpecArgs, opts: pulumi.ResourceOptions
) -> NetworkPolicy:
    """One NetworkPolicy; its name in the stack tells the namespace, as several have one of the same name."""
    where = namespace if isinstance(namespace, str) else NAMESPACE
    # kube-score looks for the pods among our own manifests; those of Kubernetes' namespaces are not ours, or there are none yet.
    exempt = {"kube-score/ignore": "networkpolicy-targets-pod"} if where != NAMESPACE else None
    metadata = ObjectMetaArgs(name=name, namespace=namespace, annotations=exempt)
    return NetworkPolicy(f"{where}-{name}", metadata=metadata, spec=spec, opts=opts)


class Namespace(Component):
    """The namespace, closed both ways from its first moment; everything in it takes its name from here, and so comes after that.

    Attributes:
        name: as an output, which carries the dependency.
        network: the addresses that its policies tell apart.
        provider: the way to the cluster.
    """

    name: pulumi.Output[str]
    network: Network
    provider: kubernetes.Provider

    def __init__(
        self, *, network: Network, provider: kubernetes.Provider, signed: bool, after: Sequence[pulumi.Resource]
    ) -> None:
        super().__init__("cluster:Namespace", "namespace", provider=provider)
        levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
        if signed:
            levels[SIGNATURES] = "validate"
        namespace = NamespaceResource(
            NAMESPACE,
            metadata=ObjectMetaArgs(name=NAMESPACE, labels=levels),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        child = pulumi.ResourceOptions(parent=self)
        tokenless(namespace.metadata.name, NAMESPACE, child)
        closed = policy(namespace.metadata.name, DENY_ALL, network_policies.deny_all(), child)
        self.name = closed.metadata.namespace
        self.network = network
        self.provider = provider
        self.register_outputs({"name": self.name})


def system_policies(network: Network) -> Mapping[str, Mapping[str, NetworkPolicySpecArgs]]:
    """Policies by name, by namespace. Traefik needs none: it is on the hosts' network, which policies do not govern."""
    unused = {DENY_ALL: network_policies.deny_all()}
    return {
        "default": unused,
        "kube-public": unused,
        "kube-node-lease": unused,
        "kube-system": {
            "intra-namespace": network_policies.inside_namespace(),
            "dns": network_policies.serve_dns(network),
            "metrics-server": network_policies.serve_metrics(network),
        },
    }


class SystemNamespaces(Component):
    """Kubernetes' own namespaces: a policy in each, no token for the `default` account of any (CIS 5.1.5, 5.3.2; k3s hardening guide).

    Pod Security: kube-system stays exempt, as Traefik and what k3s deploys there need the host's network.
    """

    def __init__(self, *, network: Network, provider: kubernetes.Provider) -> None:
        super().__init__("cluster:SystemNamespaces", "system-namespaces", provider=provider)
        child = pulumi.ResourceOptions(parent=self)
        for namespace, policies in system_policies(network).items():
            tokenless(namespace, namespace, child)
            for name, spec in policies.items():
                policy(namespace, name, spec, child)
        self.register_outputs({})
