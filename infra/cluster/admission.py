"""ValidatingAdmissionPolicies for the namespaces of the program, enforced by the API server itself.

For pods, they check all objects that create pods. A mistake therefore fails `pulumi up`, instead of being an event of a
ReplicaSet. The API server needs a moment to activate a policy, and these exist long before the first object they check.
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.admissionregistration.v1 import (
    MatchResourcesArgs,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    ValidatingAdmissionPolicyBindingSpecArgs,
    ValidatingAdmissionPolicySpecArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from infra.cluster.guard_admission import GUARD_POLICY, guard_policy, network_policy_policy
from infra.cluster.host_admission import HostAccess
from infra.cluster.ingress_admission import ingress_policy
from infra.cluster.pod_admission import by_digest, known_images, no_host_access, pod_policy
from infra.cluster.service_admission import service_policy
from infra.component import Component
from infra.machines.k3s import AUDIT_LOG
from infra.names import HOST_DAEMON_SETS, LOGS, MONITORING, NAMESPACE, NODE_EXPORTER
from infra.settings.other_workloads import admitted_repositories
from infra.settings.schema import Settings
from infra.settings.types import repository

LOG_FILES = "/var/log"
"""The directory of the node that contains the logs of all containers (kubelet, pkg/kubelet/kuberuntime)."""
LOG_STATE = "/var/lib/vlagent"
"""The directory of the node in which the agent keeps the positions that it has read, and its buffer."""
EXPORTER_ACCESS = HostAccess(daemon_set=HOST_DAEMON_SETS[NODE_EXPORTER], host_network=True)
AGENT_ACCESS = HostAccess(
    daemon_set=HOST_DAEMON_SETS[LOGS],
    # The files belong to root.
    root=True,
    read_only=[LOG_FILES, str(AUDIT_LOG.parent)],
    writable=[LOG_STATE],
)
NETWORK_POLICY_POLICY = f"{NAMESPACE}-network-policies"


class Admission(Component):
    """The policies, each bound to its namespaces by name, so that they can exist before these do.

    Attributes:
        bindings: the resources after which the policies are active.
    """

    bindings: Sequence[pulumi.Resource]

    def __init__(self, settings: Settings, *, provider: kubernetes.Provider) -> None:
        super().__init__("cluster:Admission", "admission", provider=provider)
        policies = {name: self._policy(name, spec) for name, spec in app_policies(settings).items()}
        bindings = [self._binding(name, policy, NAMESPACE) for name, policy in policies.items()]
        for namespace, pods in {**monitoring_pods(settings), **log_pods(settings)}.items():
            bound = {
                "pods": self._policy(f"{namespace}-pods", pods),
                "network-policies": policies[NETWORK_POLICY_POLICY],
                "guards": policies[GUARD_POLICY],
            }
            bindings += [self._binding(f"{namespace}-{name}", policy, namespace) for name, policy in bound.items()]
        self.bindings = bindings
        self.register_outputs({})

    def _policy(self, name: str, spec: ValidatingAdmissionPolicySpecArgs) -> ValidatingAdmissionPolicy:
        return ValidatingAdmissionPolicy(name, metadata=ObjectMetaArgs(name=name), spec=spec, opts=self.child_options())

    def _binding(
        self, name: str, policy: ValidatingAdmissionPolicy, namespace: str
    ) -> ValidatingAdmissionPolicyBinding:
        return ValidatingAdmissionPolicyBinding(
            name,
            metadata=ObjectMetaArgs(name=name),
            spec=ValidatingAdmissionPolicyBindingSpecArgs(
                policy_name=policy.metadata.name,
                validation_actions=["Deny"],
                match_resources=MatchResourcesArgs(
                    namespace_selector=LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": namespace})
                ),
            ),
            opts=self.child_options(),
        )


def app_policies(settings: Settings) -> Mapping[str, ValidatingAdmissionPolicySpecArgs]:
    """The policies of the app namespace by name."""
    others = admitted_repositories(settings.other_workloads.values(), NAMESPACE)
    images = known_images((*settings.images.other_repositories, *others), registry=settings.images.registry)
    digests = [by_digest(settings.images.registry)] if settings.require_digests else []
    return {
        f"{NAMESPACE}-pods": pod_policy(images, [*digests, *no_host_access()]),
        f"{NAMESPACE}-ingresses": ingress_policy(),
        f"{NAMESPACE}-services": service_policy(),
        NETWORK_POLICY_POLICY: network_policy_policy(),
        GUARD_POLICY: guard_policy(),
    }


def monitoring_pods(settings: Settings) -> Mapping[str, ValidatingAdmissionPolicySpecArgs]:
    """The policies of pods in the namespaces of monitoring, by namespace. Empty while monitoring is off."""
    monitoring = settings.monitoring
    if monitoring is None:
        return {}
    exporter = monitoring.images.node_exporter
    images = {repository(image) for _, image in monitoring.images} - {repository(exporter)}
    others = admitted_repositories(settings.other_workloads.values(), MONITORING)
    pods = {MONITORING: pod_policy(known_images([*sorted(images), *others]), no_host_access())}
    if monitoring.node_exporter:
        pods[NODE_EXPORTER] = EXPORTER_ACCESS.policy(exporter)
    return pods


def log_pods(settings: Settings) -> Mapping[str, ValidatingAdmissionPolicySpecArgs]:
    """The policy of pods in the namespace of logs. Empty while logs are off."""
    return {LOGS: AGENT_ACCESS.policy(settings.logs.images.vlagent)} if settings.logs else {}
