"""The admission policy for Ingresses: a host is served only with TLS, on port 443, and through our middlewares.

An update that leaves the spec and the annotations of Traefik as they are is not checked. An adopted Ingress has others
until the first `up` changes it, and before that the provider updates its field managers.

Annotations: https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/ingress/
"""

import json
from collections.abc import Sequence

from pulumi_kubernetes.admissionregistration.v1 import (
    ValidatingAdmissionPolicySpecArgs,
    ValidationArgs,
    VariableArgs,
)

from infra.cluster.admission_requests import NOT_BEING_DELETED, requests_for
from infra.cluster.middlewares import DEFAULT, references

PREFIX = "traefik.ingress.kubernetes.io/"
ENTRY_POINTS, TLS, MIDDLEWARES = (f"{PREFIX}router.{name}" for name in ("entrypoints", "tls", "middlewares"))
WEBSECURE = "websecure"
"""Traefik's entry point for port 443 of the nodes."""

VARIABLES = (
    VariableArgs(
        name="covered",
        expression="has(object.spec.tls) ? object.spec.tls.filter(t, has(t.hosts)).map(t, t.hosts) : []",
    ),
    VariableArgs(name="annotations", expression="has(object.metadata.annotations) ? object.metadata.annotations : {}"),
    VariableArgs(
        name="old",
        expression="request.operation == 'UPDATE' && has(oldObject.metadata.annotations)"
        " ? oldObject.metadata.annotations : {}",
    ),
    VariableArgs(
        name="unchanged",
        expression="request.operation == 'UPDATE' && object.spec == oldObject.spec"
        f" && variables.annotations.all(name, !name.startsWith('{PREFIX}')"
        " || (name in variables.old && variables.old[name] == variables.annotations[name]))"
        f" && variables.old.all(name, !name.startsWith('{PREFIX}') || name in variables.annotations)",
    ),
)


def _annotation(name: str) -> str:
    """CEL: the value of an annotation, or an empty string."""
    return f"({name!r} in variables.annotations ? variables.annotations[{name!r}] : '')"


def _validation(expression: str, message: str) -> ValidationArgs:
    return ValidationArgs(expression=f"variables.unchanged || ({expression})", message=message, reason="Forbidden")


def validations() -> Sequence[ValidationArgs]:
    """Cloudflare connects with TLS (Full (strict)), and nothing but the middlewares limits who may send requests."""
    middlewares = ",".join(references(*DEFAULT))
    known = json.dumps([ENTRY_POINTS, TLS, MIDDLEWARES])
    return [
        _validation(
            "has(object.spec.rules) && object.spec.rules.all(r, has(r.host)"
            " && variables.covered.exists(hosts, r.host in hosts))",
            "every rule of an Ingress needs a host, and every host must stand under tls",
        ),
        _validation(
            f"{_annotation(ENTRY_POINTS)} == '{WEBSECURE}' && {_annotation(TLS)} == 'true'",
            f'an Ingress needs the annotations {ENTRY_POINTS}: {WEBSECURE} and {TLS}: "true": other entry points have'
            " neither TLS nor a client certificate",
        ),
        _validation(
            f"({_annotation(MIDDLEWARES)} + ',').startsWith('{middlewares},')",
            f"the annotation {MIDDLEWARES} of an Ingress must begin with {middlewares}",
        ),
        # router.tls.options, for example, would select other TLS options than ours.
        _validation(
            f"variables.annotations.all(name, !name.startsWith('{PREFIX}') || name in {known})",
            f"an Ingress may have no other annotation of Traefik than {ENTRY_POINTS}, {TLS} and {MIDDLEWARES}",
        ),
    ]


def ingress_policy() -> ValidatingAdmissionPolicySpecArgs:
    """For Ingresses."""
    return ValidatingAdmissionPolicySpecArgs(
        failure_policy="Fail",
        match_constraints=requests_for({"networking.k8s.io": ["ingresses"]}),
        match_conditions=[NOT_BEING_DELETED],
        variables=list(VARIABLES),
        validations=list(validations()),
    )
