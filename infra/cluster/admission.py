"""What the API server itself refuses in the product's namespace, by its own ValidatingAdmissionPolicy (book ch05, ch20).

Pods are checked, and whatever makes pods: a mistake then shows at `pulumi up`, not in the events of a ReplicaSet. A policy takes
the API server a moment to take up; here it stands long before anything it checks.
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

from infra.cluster.namespace import NAMESPACE
from infra.component import Component
from infra.settings.apps import Images

MAKES_PODS: Mapping[str, Sequence[str]] = {
    "": ["pods", "pods/ephemeralcontainers", "podtemplates", "replicationcontrollers"],
    "apps": ["deployments", "statefulsets", "daemonsets", "replicasets"],
    "batch": ["jobs", "cronjobs"],
}

# dyn(): the text is checked against one kind at a time, and no kind has all of these fields.
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
    """Our registry, and by name what is not ours. The repositories and not their tags: a release must not wait for this policy."""
    ours, others = f"{images.registry}/", images.other_repositories
    # Nothing with a slash after the name of another: redis:5000/app would be an app of a registry that is called redis.
    known = f"^({re.escape(ours)}.+|({'|'.join(re.escape(name) for name in others)})([:@][^/]+)?)$"
    listed = f"c.image.matches({json.dumps(known)})"
    return ValidationArgs(
        expression=f"variables.containers.all(c, {listed})",
        message_expression="'only images from "
        + f"{ours} or of {', '.join(others)} run here, not '"
        + f" + variables.containers.filter(c, !({listed})).map(c, c.image).join(', ')",
        reason="Forbidden",
    )


def pinned() -> ValidationArgs:
    """A tag that is given and does not move, or a digest."""
    fixed = "c.image.matches('(:[^/:@]+|@sha256:[0-9a-f]{64})$') && !c.image.matches(':latest(@|$)')"
    return ValidationArgs(
        expression=f"variables.containers.all(c, {fixed})",
        message_expression="'an image needs a tag other than latest, or a digest: '"
        + f" + variables.containers.filter(c, !({fixed})).map(c, c.image).join(', ')",
        reason="Forbidden",
    )


def off_the_node() -> Sequence[ValidationArgs]:
    """What would reach into the node. Pod Security refuses it in pods; here it is refused in what makes them, too."""
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
    """Pods and what makes them."""
    return ValidatingAdmissionPolicySpecArgs(
        failure_policy="Fail",
        match_constraints=_rules(MAKES_PODS),
        variables=[
            VariableArgs(name="pod", expression=POD.strip()),
            VariableArgs(name="containers", expression=CONTAINERS.strip()),
        ],
        validations=[from_known_registries(images), pinned(), *off_the_node()],
    )


def ingress_policy() -> ValidatingAdmissionPolicySpecArgs:
    """Cloudflare speaks TLS to us (Full, strict): a host that we serve without is a mistake."""
    return ValidatingAdmissionPolicySpecArgs(
        failure_policy="Fail",
        match_constraints=_rules({"networking.k8s.io": ["ingresses"]}),
        variables=[
            VariableArgs(
                name="covered",
                expression="has(object.spec.tls) ? object.spec.tls.filter(t, has(t.hosts)).map(t, t.hosts) : []",
            )
        ],
        validations=[
            ValidationArgs(
                expression="has(object.spec.rules) && object.spec.rules.all(r, has(r.host)"
                " && variables.covered.exists(hosts, r.host in hosts))",
                message="every rule of an Ingress needs a host, and every host must stand under tls",
                reason="Forbidden",
            )
        ],
    )


class Admission(Component):
    """The policies, bound to the product's namespace by its name, so that they stand before it does.

    Attributes:
        in_force: what must stand before anything that is checked.
    """

    in_force: Sequence[pulumi.Resource]

    def __init__(self, images: Images, *, provider: kubernetes.Provider) -> None:
        super().__init__("cluster:Admission", "admission", provider=provider)
        policies = {f"{NAMESPACE}-pods": pod_policy(images), f"{NAMESPACE}-ingresses": ingress_policy()}
        self.in_force = [self._bound(name, spec) for name, spec in policies.items()]
        self.register_outputs({})

    def _bound(self, name: str, spec: ValidatingAdmissionPolicySpecArgs) -> ValidatingAdmissionPolicyBinding:
        child = pulumi.ResourceOptions(parent=self)
        policy = ValidatingAdmissionPolicy(name, metadata=ObjectMetaArgs(name=name), spec=spec, opts=child)
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
            opts=child,
        )
