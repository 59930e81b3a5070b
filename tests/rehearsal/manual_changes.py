"""Changes with kubectl that open a door, and how a drift check reports each of them.

The provider finds none of them but the label that the program sets.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE
from tests.retry import eventually

IN_NAMESPACE = f"--namespace={NAMESPACE}"
ANY_SOURCE = "0.0.0.0/0"
PASSWORD = "hunter2-of-a-test"
SIDECAR = {
    "name": "sidecar",
    "image": "gitea.treytartt.com/admin/honeydue-api:manual",
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}
TLS = {"hosts": ["debug.myhoneydue.com"], "secretName": "cloudflare-origin-cert"}
TO_REDIS = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "redis", "port": {"number": 6379}}}}
ANY_EGRESS = json.dumps([{"op": "add", "path": "/spec/egress/-", "value": {}}])
EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
ALL_RULES = {
    "apiGroups": ["*"],
    "apiVersions": ["*"],
    "resources": ["*/*"],
    "operations": ["*"],
    "scope": "*",
}


@dataclass(frozen=True, kw_only=True)
class ManualChange:
    """One change, and its rows: the beginning of the actual value, by property. The program declares no value there."""

    kubectl: Sequence[str]
    resource: str
    rows: Mapping[str, str]
    stdin: str | None = None


def _patch(
    kind: str, name: str, *operations: Mapping[str, object], options: Sequence[str] = (IN_NAMESPACE,)
) -> list[str]:
    return ["patch", kind, name, *options, "--type=json", "--patch", json.dumps(operations)]


def _add(path: str, value: object) -> Mapping[str, object]:
    return {"op": "add", "path": path, "value": value}


CHANGES = (
    ManualChange(
        kubectl=_patch("networkpolicy", "default-deny", _add("/spec/ingress", [{}]), _add("/spec/egress", [{}])),
        resource="NetworkPolicy::honeydue-default-deny",
        rows={"spec.ingress": "{}", "spec.egress": "{}"},
    ),
    ManualChange(
        kubectl=_patch("networkpolicy", "api", _add("/spec/ingress/-", {})),
        resource="NetworkPolicy::api",
        rows={"spec.ingress": "{}"},
    ),
    ManualChange(
        kubectl=_patch("networkpolicy", "web", _add("/spec/ingress/0/from/0", {"ipBlock": {"cidr": ANY_SOURCE}})),
        resource="NetworkPolicy::web",
        rows={"spec.ingress[0].from": "{ipBlock: {cidr: 0.0.0.0/0}}"},
    ),
    ManualChange(
        kubectl=_patch(
            "role",
            "viewer",
            _add("/rules/-", {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}),
        ),
        resource="Role::viewer",
        rows={"rules": '{apiGroups: "", resources: secrets, verbs: get, list}'},
    ),
    ManualChange(
        kubectl=_patch("clusterrole", "honeydue-guards", _add("/rules/-", EVERYTHING), options=()),
        resource="ClusterRole::honeydue-guards",
        rows={"rules": "{apiGroups: *, resources: *, verbs: *}"},
    ),
    ManualChange(
        kubectl=_patch(
            "clusterrolebinding",
            "honeydue-guards-viewer",
            _add(
                "/subjects/-",
                {"kind": "Group", "name": "system:authenticated", "apiGroup": "rbac.authorization.k8s.io"},
            ),
            options=(),
        ),
        resource="ClusterRoleBinding::honeydue-guards-viewer",
        rows={"subjects[system:authenticated]": "{apiGroup: rbac.authorization.k8s.io, kind: Group, "},
    ),
    ManualChange(
        kubectl=_patch("deployment", "api", _add("/spec/template/spec/containers/-", SIDECAR)),
        resource="Deployment::api",
        rows={"spec.template.spec.containers[sidecar]": "{image: gitea.treytartt.com/admin/honeydue-api:manual, "},
    ),
    ManualChange(
        kubectl=[
            *("set", "env", IN_NAMESPACE, "deployment/api", "--containers=api"),
            f"HTTPS_PROXY=http://ada:{PASSWORD}@203.0.113.9:3128",
        ],
        resource="Deployment::api",
        rows={"spec.template.spec.containers[api].env": "{name: HTTPS_PROXY, value: http://[secret]@203.0.113.9:3128}"},
    ),
    ManualChange(
        kubectl=_patch(
            "ingress",
            "honeydue-web",
            _add("/spec/tls/-", TLS),
            _add("/spec/rules/-", {"host": "debug.myhoneydue.com", "http": {"paths": [TO_REDIS]}}),
        ),
        resource="Ingress::honeydue-web",
        rows={
            "spec.rules[debug.myhoneydue.com]": "{host: debug.myhoneydue.com, ",
            "spec.tls": "{hosts: debug.myhoneydue.com, secretName: cloudflare-origin-cert}",
        },
    ),
    ManualChange(
        kubectl=[
            *("annotate", "ingress", "honeydue-api", IN_NAMESPACE),
            "traefik.ingress.kubernetes.io/router.priority=9",
        ],
        resource="Ingress::honeydue-api",
        rows={'metadata.annotations["traefik.ingress.kubernetes.io/router.priority"]': "9"},
    ),
    ManualChange(
        kubectl=_patch(
            "validatingadmissionpolicybinding",
            "honeydue-pods",
            _add("/spec/matchResources/excludeResourceRules", [ALL_RULES]),
            options=(),
        ),
        resource="ValidatingAdmissionPolicyBinding::honeydue-pods",
        rows={"spec.matchResources.excludeResourceRules": "{apiGroups: *, apiVersions: *, "},
    ),
    ManualChange(
        kubectl=_patch("tlsoption", "default", _add("/spec/clientAuth/secretNames/-", "another-ca")),
        resource="TLSOption::default",
        rows={"spec.clientAuth.secretNames": "another-ca"},
    ),
    ManualChange(
        kubectl=_patch("service", "redis", _add("/spec/externalIPs", ["178.104.247.152"])),
        resource="Service::redis",
        rows={"spec.externalIPs": "178.104.247.152"},
    ),
    ManualChange(
        kubectl=_patch("service", "web", _add("/spec/type", "NodePort"), _add("/spec/ports/0/nodePort", 30123)),
        resource="Service::web",
        rows={"spec.type": "NodePort", "spec.ports[http].nodePort": "30123"},
    ),
    ManualChange(
        kubectl=["label", "namespace", NAMESPACE, "manual=true"],
        resource=f"Namespace::{NAMESPACE}",
        rows={"metadata.labels.manual": "true"},
    ),
    ManualChange(
        kubectl=_patch("secret", "honeydue-secrets", _add("/data/MANUAL", "bWFudWFs")),
        resource="Secret::honeydue-secrets",
        rows={"data.MANUAL": "[secret]"},
    ),
)
REPLACED_LABEL = ["label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=privileged", "--overwrite"]
"""The one that the provider finds: a value that the program declares."""


def changes_without_another_owner(world: World) -> Sequence[ManualChange]:
    """Changes that the owners of the fields do not show: as the program, and with all owners removed."""
    policy = ("networkpolicy", "worker", "-n", NAMESPACE)
    (owner,) = world.kubectl_json("get", *policy, "--show-managed-fields")["metadata"]["managedFields"]
    patched = ManualChange(
        kubectl=["patch", *policy, f"--field-manager={owner['manager']}", "--type=json", "-p", ANY_EGRESS],
        resource="NetworkPolicy::worker",
        rows={"spec.egress": "{}"},
    )
    limit = world.kubectl_json("get", "middleware", "rate-limit", "-n", NAMESPACE, "--show-managed-fields")
    (owner,) = limit["metadata"]["managedFields"]
    limit["metadata"] = {"name": "rate-limit", "namespace": NAMESPACE}
    limit["spec"]["rateLimit"]["sourceCriterion"]["requestHost"] = True
    applied = ManualChange(
        kubectl=["apply", "--server-side", f"--field-manager={owner['manager']}", "-f", "-"],
        stdin=json.dumps(limit),
        resource="Middleware::rate-limit",
        rows={"spec.rateLimit.sourceCriterion.requestHost": "true"},
    )
    policy = ("networkpolicy", "admin", "-n", NAMESPACE)
    disowned = ManualChange(
        kubectl=["patch", *policy, "--type=json", "-p", '[{"op":"add","path":"/metadata/managedFields","value":[{}]}]'],
        resource="NetworkPolicy::admin",
        rows={"metadata.managedFields": "-"},
    )
    opened = ManualChange(
        kubectl=["patch", *policy, "--type=json", "-p", ANY_EGRESS],
        resource="NetworkPolicy::admin",
        rows={"spec.egress": "{}"},
    )
    return [patched, applied, disowned, opened]


@contextmanager
def only_audited(world: World) -> Iterator[None]:
    """The admission policies, which would refuse some of the changes, only audit them meanwhile.

    The API server reads changed bindings within a second or so.
    """
    bindings = [f"honeydue-{policy}" for policy in ("guards", "services", "ingresses", "network-policies")]

    def set_action(action: str) -> None:
        for binding in bindings:
            patch = json.dumps({"spec": {"validationActions": [action]}})
            world.kubectl("patch", "validatingadmissionpolicybinding", binding, "--type=merge", "--patch", patch)

    set_action("Audit")
    eventually(lambda: world.kubectl(*CHANGES[0].kubectl, "--dry-run=server"))
    yield
    set_action("Deny")
