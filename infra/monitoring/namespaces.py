"""The namespaces of monitoring. All traffic is denied in them before anything is created."""

from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.cluster.namespace import DENY_ALL, RESTRICTED, disable_default_token, network_policy
from infra.cluster.network_policies import deny_all
from infra.component import Component
from infra.names import MONITORING, NODE_EXPORTER

PRIVILEGED: Mapping[str, str] = dict.fromkeys(RESTRICTED, "privileged")
"""The labels for the Pod Security level "privileged"."""


class Namespaces(Component):
    """`monitoring`, and `node-exporter` for the only part that needs the host network and paths of the node.

    Attributes:
        monitoring, node_exporter: outputs, so that every object that uses one depends on the namespace and its default
            policy.
    """

    monitoring: pulumi.Output[str]
    node_exporter: pulumi.Output[str]

    def __init__(self, *, provider: kubernetes.Provider, depends_on: list[pulumi.Resource]) -> None:
        super().__init__("monitoring:Namespaces", "monitoring-namespaces", provider=provider)
        self.monitoring = self._namespace(MONITORING, RESTRICTED, depends_on)
        self.node_exporter = self._namespace(NODE_EXPORTER, PRIVILEGED, depends_on)
        self.register_outputs({})

    def _namespace(self, name: str, labels: Mapping[str, str], depends_on: list[pulumi.Resource]) -> pulumi.Output[str]:
        namespace = Namespace(
            name,
            metadata=ObjectMetaArgs(name=name, labels=labels),
            opts=self.child_options(depends_on=depends_on),
        )
        in_namespace = self.child_options(depends_on=[namespace])
        disable_default_token(name, name, in_namespace)
        return network_policy(name, DENY_ALL, deny_all(), in_namespace).metadata.namespace
