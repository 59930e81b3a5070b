"""ValidatingAdmissionPolicies for the app namespace, which the API server enforces itself.

For pods, they check all objects that create pods. A mistake therefore fails `pulumi up`, instead of being an event of a
ReplicaSet. The API server needs a moment to activate a policy, and these exist long before the first object they check.
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from collections.abc import Sequence

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
from infra.cluster.ingress_admission import ingress_policy
from infra.cluster.pod_admission import pod_policy
from infra.cluster.service_admission import service_policy
from infra.component import Component
from infra.names import NAMESPACE
from infra.settings.apps import Images


class Admission(Component):
    """The policies, bound to the app namespace by its name, so that they can exist before it does.

    `others` are the repositories of images that workloads beside the apps run (`honeydue:otherWorkloads`).

    Attributes:
        bindings: the resources after which the policies are active.
    """

    bindings: Sequence[pulumi.Resource]

    def __init__(self, images: Images, *, others: Sequence[str], provider: kubernetes.Provider) -> None:
        super().__init__("cluster:Admission", "admission", provider=provider)
        policies = {
            f"{NAMESPACE}-pods": pod_policy(images, others),
            f"{NAMESPACE}-ingresses": ingress_policy(),
            f"{NAMESPACE}-services": service_policy(),
            f"{NAMESPACE}-network-policies": network_policy_policy(),
            GUARD_POLICY: guard_policy(),
        }
        self.bindings = [self._policy_with_binding(name, spec) for name, spec in policies.items()]
        self.register_outputs({})

    def _policy_with_binding(
        self, name: str, spec: ValidatingAdmissionPolicySpecArgs
    ) -> ValidatingAdmissionPolicyBinding:
        policy = ValidatingAdmissionPolicy(
            name, metadata=ObjectMetaArgs(name=name), spec=spec, opts=self.child_options()
        )
        return ValidatingAdmissionPolicyBinding(
            name,
            metadata=ObjectMetaArgs(name=name),
            spec=ValidatingAdmissionPolicyBindingSpecArgs(
                policy_name=policy.metadata.name,
                validation_actions=["Deny"],
                match_resources=MatchResourcesArgs(
                    namespace_selector=LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": NAMESPACE})
                ),
            ),
            opts=self.child_options(),
        )
