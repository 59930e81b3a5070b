"""The namespace of the product, with Pod Security *restricted* enforced (book ch05)."""

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core.v1 import Namespace as NamespaceResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.component import Component

NAMESPACE = "honeydue"


class Namespace(Component):
    """The namespace; everything in it takes its name from here, and so comes after it.

    Attributes:
        name: as an output, which carries the dependency.
        provider: the way to the cluster.
    """

    name: pulumi.Output[str]
    provider: kubernetes.Provider

    def __init__(self, *, provider: kubernetes.Provider) -> None:
        super().__init__("cluster:Namespace", "namespace", provider=provider)
        levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
        namespace = NamespaceResource(
            NAMESPACE,
            metadata=ObjectMetaArgs(name=NAMESPACE, labels=levels),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.name = namespace.metadata.name
        self.provider = provider
        self.register_outputs({"name": self.name})
