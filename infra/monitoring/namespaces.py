"""The namespaces of monitoring. All traffic is denied in them before anything is created."""

from collections.abc import Mapping, Sequence

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
        names: outputs by name, so that every object that uses one depends on the namespace and its default policy.
    """

    names: Mapping[str, pulumi.Output[str]]

    def __init__(
        self, *, node_exporter: bool, provider: kubernetes.Provider, depends_on: Sequence[pulumi.Resource]
    ) -> None:
        super().__init__("monitoring:Namespaces", "monitoring-namespaces", provider=provider)
        levels = {MONITORING: RESTRICTED, **({NODE_EXPORTER: PRIVILEGED} if node_exporter else {})}
        self.names = {
            name: isolated_namespace(name, level, parent=self, depends_on=depends_on) for name, level in levels.items()
        }
        self.register_outputs({})


def isolated_namespace(
    name: str, labels: Mapping[str, str], *, parent: Component, depends_on: Sequence[pulumi.Resource]
) -> pulumi.Output[str]:
    """A namespace without connections, whose default account has no token. Returns its name, after both."""
    namespace = Namespace(
        name,
        metadata=ObjectMetaArgs(name=name, labels=labels),
        opts=parent.child_options(depends_on=depends_on),
    )
    in_namespace = parent.child_options(depends_on=[namespace])
    disable_default_token(name, name, in_namespace)
    return network_policy(name, DENY_ALL, deny_all(), in_namespace).metadata.namespace
