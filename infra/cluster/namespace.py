"""The app namespace, with Pod Security "restricted" enforced, and the protection of Kubernetes' own namespaces."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core.v1 import Namespace as NamespaceResource
from pulumi_kubernetes.core.v1 import NamespacePatch, ServiceAccountPatch
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs, ObjectMetaPatchArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy, NetworkPolicySpecArgs

from infra.cluster import network_policies
from infra.cluster.network_policies import ClusterAddresses
from infra.component import Component
from infra.names import KUBE_SYSTEM, NAMESPACE

DENY_ALL = "default-deny"
RESTRICTED: Mapping[str, str] = {
    f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")
}
"""The labels for the Pod Security level "restricted"."""


def disable_default_token(namespace: pulumi.Input[str], name: str, opts: pulumi.ResourceOptions) -> ServiceAccountPatch:
    """Pods that name no ServiceAccount run as `default`. This withholds its token from them (CIS 5.1.5).

    A patch, because Kubernetes creates the account. Deleting the patch only reverts this field.
    """
    return ServiceAccountPatch(
        f"{name}-default",
        metadata=ObjectMetaPatchArgs(name="default", namespace=namespace),
        automount_service_account_token=False,
        opts=opts,
    )


def network_policy(
    namespace: pulumi.Input[str],
    name: str,
    spec: NetworkPolicySpecArgs,
    opts: pulumi.ResourceOptions,
    *,
    other_pods: bool = False,
    prefix: str | None = None,
) -> NetworkPolicy:
    """A NetworkPolicy. Its logical name contains the namespace, because policies of several namespaces share names.

    `other_pods` means that it selects pods in the app namespace that the program does not declare. `prefix` is the
    name of the namespace if that is an output, and by default that of the apps.
    """
    prefix = prefix or (namespace if isinstance(namespace, str) else NAMESPACE)
    # kube-score expects the selected pods among our manifests. In the namespaces of Kubernetes they are not ours.
    other_pods = other_pods or prefix != NAMESPACE
    ignored = {"kube-score/ignore": "networkpolicy-targets-pod"} if other_pods else None
    metadata = ObjectMetaArgs(name=name, namespace=namespace, annotations=ignored)
    return NetworkPolicy(f"{prefix}-{name}", metadata=metadata, spec=spec, opts=opts)


class Namespace(Component):
    """The app namespace. All traffic is denied before anything is created in it.

    Attributes:
        name: an output, so that every object that uses it depends on the namespace and its default policy.
    """

    name: pulumi.Output[str]

    def __init__(self, *, provider: kubernetes.Provider, depends_on: Sequence[pulumi.Resource]) -> None:
        super().__init__("cluster:Namespace", "namespace", provider=provider)
        namespace = NamespaceResource(
            NAMESPACE,
            metadata=ObjectMetaArgs(name=NAMESPACE, labels=RESTRICTED),
            opts=self.child_options(depends_on=depends_on),
        )
        disable_default_token(namespace.metadata.name, NAMESPACE, self.child_options())
        default_deny = network_policy(
            namespace.metadata.name, DENY_ALL, network_policies.deny_all(), self.child_options()
        )
        self.name = default_deny.metadata.namespace
        self.register_outputs({"name": self.name})


def system_policies(addresses: ClusterAddresses) -> Mapping[str, Mapping[str, NetworkPolicySpecArgs]]:
    """Policies by name, by namespace. Traefik needs none, because policies do not apply to the host network."""
    unused = {DENY_ALL: network_policies.deny_all()}
    return {
        "default": unused,
        "kube-public": unused,
        "kube-node-lease": unused,
        KUBE_SYSTEM: {
            "intra-namespace": network_policies.inside_namespace(),
            "dns": network_policies.serve_dns(addresses),
            "metrics-server": network_policies.serve_metrics(addresses),
        },
    }


class SystemNamespaces(Component):
    """Policies in Kubernetes' own namespaces, and no token for their `default` accounts (CIS 5.1.5, 5.3.2).

    Pod Security is "restricted" in them. The configuration of k3s makes this the default, but not on nodes that were
    installed by hand. kube-system stays exempt, because Traefik and other add-ons of k3s need the host network.
    """

    def __init__(self, addresses: ClusterAddresses, *, provider: kubernetes.Provider) -> None:
        super().__init__("cluster:SystemNamespaces", "system-namespaces", provider=provider)
        for namespace, policies in system_policies(addresses).items():
            disable_default_token(namespace, namespace, self.child_options())
            if namespace != KUBE_SYSTEM:
                NamespacePatch(
                    namespace,
                    metadata=ObjectMetaPatchArgs(name=namespace, labels=RESTRICTED),
                    opts=self.child_options(),
                )
            for name, spec in policies.items():
                network_policy(namespace, name, spec, self.child_options())
        self.register_outputs({})
