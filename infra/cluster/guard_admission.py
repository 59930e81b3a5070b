"""Admission policies for the objects of the app namespace that restrict the apps and the deployer.

The deployer may change every kind of object of the apps, and RBAC cannot exclude objects by name. These policies do.
"""

import json
from collections.abc import Mapping, Sequence

from pulumi_kubernetes.admissionregistration.v1 import (
    MatchConditionArgs,
    ValidatingAdmissionPolicySpecArgs,
    ValidationArgs,
    VariableArgs,
)

from infra.cluster.admission_requests import NOT_BEING_DELETED, SPEC_CHANGES, requests_for
from infra.cluster.middlewares import CLIENT_CA, CLOUDFLARE_ONLY
from infra.cluster.namespace import DENY_ALL

GUARD_POLICY = "honeydue-guards"
METADATA_SERVICE = "169.254.169.254"

GUARDS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "": {"secrets": [CLIENT_CA], "serviceaccounts": ["default"]},
    "networking.k8s.io": {"networkpolicies": [DENY_ALL]},
    "traefik.io": {"middlewares": [CLOUDFLARE_ONLY]},
}
"""Names of guards by API group and resource. The namespaces of monitoring have two of them.

Without them, pods would accept all connections, Traefik would serve other clients than Cloudflare, and pods would get
the token of the default account.
"""


def guard_policy() -> ValidatingAdmissionPolicySpecArgs:
    """Only the administrator changes or deletes a guard: an account that may delete this policy.

    Any change, even of the metadata alone: with an `ownerReference`, the garbage collector would delete the guard.

    An `up` of the deployer applies no guard that did not change. The namespace controller deletes the guards when the
    administrator deletes the namespace.
    """
    names = {resource: list(guards) for group in GUARDS.values() for resource, guards in group.items()}
    return ValidatingAdmissionPolicySpecArgs(
        failure_policy="Fail",
        match_constraints=requests_for(
            {group: list(resources) for group, resources in GUARDS.items()}, operations=["UPDATE", "DELETE"]
        ),
        # Not `resourceNames` of the rules: the request that deletes a collection has no name.
        match_conditions=[
            NOT_BEING_DELETED,
            MatchConditionArgs(
                name="named-guard",
                expression=f"oldObject.metadata.name in {json.dumps(names)}[request.resource.resource]",
            ),
            MatchConditionArgs(
                name="not-the-deletion-of-the-namespace",
                expression="request.userInfo.username != 'system:serviceaccount:kube-system:namespace-controller'",
            ),
        ],
        validations=[
            ValidationArgs(
                expression="authorizer.group('admissionregistration.k8s.io').resource('validatingadmissionpolicies')"
                f".name('{GUARD_POLICY}').check('delete').allowed()",
                message_expression="'only the administrator may change or delete '"
                " + request.resource.resource + '/' + oldObject.metadata.name",
                reason="Forbidden",
            )
        ],
    )


def network_policy_policy() -> ValidatingAdmissionPolicySpecArgs:
    """No NetworkPolicy reverses `default-deny`, which would be possible because policies are additive.

    A policy selects pods by labels, names the peers of every rule, and does not open the metadata service.
    """
    return ValidatingAdmissionPolicySpecArgs(
        failure_policy="Fail",
        match_constraints=requests_for({"networking.k8s.io": ["networkpolicies"]}),
        match_conditions=[NOT_BEING_DELETED, SPEC_CHANGES],
        variables=[
            VariableArgs(name="ingress", expression="has(object.spec.ingress) ? object.spec.ingress : []"),
            VariableArgs(name="egress", expression="has(object.spec.egress) ? object.spec.egress : []"),
        ],
        validations=[
            ValidationArgs(
                expression="size(variables.ingress) + size(variables.egress) == 0"
                " || has(object.spec.podSelector.matchLabels)",
                message="a NetworkPolicy that allows connections needs matchLabels in its podSelector",
                reason="Forbidden",
            ),
            ValidationArgs(
                expression="variables.ingress.all(r, has(r.from) && r.from.size() > 0)"
                " && variables.egress.all(r, has(r.to) && r.to.size() > 0)",
                message="every rule of a NetworkPolicy needs peers (from, to)",
                reason="Forbidden",
            ),
            ValidationArgs(
                expression="variables.egress.all(r, r.to.all(p, !has(p.ipBlock)"
                f" || !cidr(p.ipBlock.cidr).containsIP('{METADATA_SERVICE}')"
                " || has(p.ipBlock.except)"
                f" && p.ipBlock.except.exists(e, cidr(e).containsIP('{METADATA_SERVICE}'))))",
                message=f"an ipBlock that contains {METADATA_SERVICE}, the metadata service, must except it",
                reason="Forbidden",
            ),
        ],
    )
