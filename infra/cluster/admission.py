"""ValidatingAdmissionPolicies for the app namespace, which the API server enforces itself.

For pods, they check all objects that create pods. A mistake therefore fails `pulumi up`, instead of being an event of a
ReplicaSet. The API server needs a moment to activate a policy, and these exist long before the first object they check.
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

import json
import re
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.admissionregistration.v1 import (
    MatchResourcesArgs,
    NamedRuleWithOperationsArgs,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    ValidatingAdmissionPolicyBindingSpecArgs,
    ValidatingAdmissionPolicySpecArgs,
    ValidationArgs,
    VariableArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from infra.cluster import ingress_admission
from infra.cluster.guard_admission import GUARD_POLICY, guard_policy, network_policy_policy
from infra.cluster.service_admission import service_policy
from infra.component import Component
from infra.names import NAMESPACE
from infra.settings.apps import Images

POD_TEMPLATES: Mapping[str, Sequence[str]] = {
    "": ["pods", "pods/ephemeralcontainers", "podtemplates", "replicationcontrollers"],
    "apps": ["deployments", "statefulsets", "daemonsets", "replicasets"],
    "batch": ["jobs", "cronjobs"],
}

# dyn(): the API server type-checks the expression against one kind at a time, and no kind has all of these fields.
POD = """
  object.kind == 'Pod' ? dyn(object.spec) :
  object.kind == 'PodTemplate' ? dyn(object).template.spec :
  object.kind == 'CronJob' ? dyn(object).spec.jobTemplate.spec.template.spec :
  dyn(object).spec.template.spec
"""
CONTAINERS = """
  variables.pod.containers
  + (has(variables.pod.initContainers) ? variables.pod.initContainers : [])
  + (has(variables.pod.ephemeralContainers) ? variables.pod.ephemeralContainers : [])
"""


def _rules(resources: Mapping[str, Sequence[str]]) -> MatchResourcesArgs:
    return MatchResourcesArgs(
        resource_rules=[
            NamedRuleWithOperationsArgs(
                api_groups=[group],
                api_versions=["*"],
                operations=["CREATE", "UPDATE"],
                resources=list(names),
                scope="Namespaced",
            )
            for group, names in resources.items()
        ]
    )


def from_known_registries(images: Images) -> ValidationArgs:
    """Our registry, and other images by repository. The rule has no tags, so that a release does not change it."""
    own, others = f"{images.registry}/", images.other_repositories
    # No slash after the name: redis:5000/app would be an image in a registry named redis.
    pattern = f"^({re.escape(own)}.+|({'|'.join(re.escape(name) for name in others)})([:@][^/]+)?)$"
    allowed = f"c.image.matches({json.dumps(pattern)})"
    return ValidationArgs(
        expression=f"variables.containers.all(c, {allowed})",
        message_expression="'only images from "
        + f"{own} or of {', '.join(others)} run here, not '"
        + f" + variables.containers.filter(c, !({allowed})).map(c, c.image).join(', ')",
        reason="Forbidden",
    )


def pinned() -> ValidationArgs:
    """An explicit tag other than latest, or a digest."""
    pinned_image = "c.image.matches('(:[^/:@]+|@sha256:[0-9a-f]{64})$') && !c.image.matches(':latest(@|$)')"
    return ValidationArgs(
        expression=f"variables.containers.all(c, {pinned_image})",
        message_expression="'an image needs a tag other than latest, or a digest: '"
        + f" + variables.containers.filter(c, !({pinned_image})).map(c, c.image).join(', ')",
        reason="Forbidden",
    )


def no_host_access() -> Sequence[ValidationArgs]:
    """No access to the host. Pod Security only checks pods; these rules also check the objects that create pods."""
    return [
        ValidationArgs(
            expression="!has(variables.pod.volumes) || variables.pod.volumes.all(v, !has(v.hostPath))",
            message="no volume may be a path of the node (hostPath)",
            reason="Forbidden",
        ),
        *(
            ValidationArgs(
                expression=f"!has(variables.pod.{field}) || !variables.pod.{field}",
                message=f"no pod may use a namespace of the node ({field})",
                reason="Forbidden",
            )
            for field in ("hostNetwork", "hostPID", "hostIPC")
        ),
        ValidationArgs(
            expression="variables.containers.all(c, !has(c.securityContext) || !has(c.securityContext.privileged)"
            " || !c.securityContext.privileged)",
            message="no container may be privileged",
            reason="Forbidden",
        ),
    ]


def pod_policy(images: Images) -> ValidatingAdmissionPolicySpecArgs:
    """For pods and all objects that create pods."""
    return ValidatingAdmissionPolicySpecArgs(
        failure_policy="Fail",
        match_constraints=_rules(POD_TEMPLATES),
        variables=[
            VariableArgs(name="pod", expression=POD.strip()),
            VariableArgs(name="containers", expression=CONTAINERS.strip()),
        ],
        validations=[from_known_registries(images), pinned(), *no_host_access()],
    )


def ingress_policy() -> ValidatingAdmissionPolicySpecArgs:
    return ValidatingAdmissionPolicySpecArgs(
        failure_policy="Fail",
        match_constraints=_rules({"networking.k8s.io": ["ingresses"]}),
        variables=list(ingress_admission.VARIABLES),
        validations=list(ingress_admission.validations()),
    )


class Admission(Component):
    """The policies, bound to the app namespace by its name, so that they can exist before it does.

    Attributes:
        bindings: the resources after which the policies are active.
    """

    bindings: Sequence[pulumi.Resource]

    def __init__(self, images: Images, *, provider: kubernetes.Provider) -> None:
        super().__init__("cluster:Admission", "admission", provider=provider)
        policies = {
            f"{NAMESPACE}-pods": pod_policy(images),
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
