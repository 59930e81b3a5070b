"""`make drift`: what somebody added to a live object, whoever owns it, and what Kubernetes itself sets."""

from typing import Any

import pytest
from pydantic import JsonValue

from ops.drift.masking import Masking
from ops.drift.objects import merged_rows
from ops.drift.report import format_value
from ops.drift.rows import DriftRow
from tests.unit.live_objects import MANAGER, DeclaredObject, drifts, owned, recorded, rows

EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
MANUAL_CHANGES: dict[tuple[str, str], Any] = {
    ("ClusterRole::honeydue-guards", "rules"): [EVERYTHING],
    ("ClusterRoleBinding::honeydue-guards-viewer", "subjects[system:authenticated]"): {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "Group",
        "name": "system:authenticated",
    },
    ("Deployment::api", "spec.template.spec.containers[api].env"): [
        {"name": "HTTPS_PROXY", "value": "http://203.0.113.9:3128"}
    ],
    ("Ingress::honeydue-web", "spec.tls"): [
        {"hosts": ["debug.myhoneydue.com"], "secretName": "cloudflare-origin-cert"}
    ],
    ("Middleware::cloudflare-only", "spec.ipAllowList.sourceRange"): ["0.0.0.0/0"],
    ("NetworkPolicy::honeydue-default-deny", "spec.egress"): [{}],
    ("NetworkPolicy::honeydue-default-deny", "spec.ingress"): [{}],
    ("NetworkPolicy::redis", "spec.ingress"): [{}],
    ("Role::viewer", "rules"): [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}],
    ("Service::redis", "spec.externalIPs"): ["178.104.247.152"],
    ("TLSOption::default", "spec.clientAuth.secretNames"): ["another-ca"],
    ("ValidatingAdmissionPolicyBinding::honeydue-pods", "spec.matchResources.excludeResourceRules"): [
        {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"], "scope": "*"}
    ],
}


def test_recorded_changes_are_found_together_and_nothing_else() -> None:
    drift = rows(recorded())
    assert drift.pop(
        ("Namespace::honeydue", 'metadata.labels["pod-security.kubernetes.io/enforce"]')
    ) == ("restricted", "privileged")  # fmt: skip
    _, container = drift.pop(("Deployment::api", "spec.template.spec.containers[sidecar]"))
    assert container["image"].startswith("gitea.treytartt.com/admin/honeydue-api:")
    _, rule = drift.pop(("Ingress::honeydue-web", "spec.rules[debug.myhoneydue.com]"))
    assert rule["http"]["paths"][0]["backend"]["service"]["name"] == "redis"
    assert drift == {key: (None, actual) for key, actual in MANUAL_CHANGES.items()}


@pytest.mark.parametrize("resource", sorted({resource for resource, _ in MANUAL_CHANGES}))
def test_each_recorded_change_is_found_alone(resource: str) -> None:
    (item,) = [item for item in recorded() if item.urn.endswith(f":{resource}")]
    assert {key for key in MANUAL_CHANGES if key[0] == resource} <= rows([item]).keys()


POLICY: dict[str, Any] = {
    "spec": {"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "a"}}}]}]}
}
PROGRAM = owned(MANAGER, {"f:spec": {"f:ingress": {}, "f:podSelector": {}}}, "Apply")


def policy(*, ingress: Any = POLICY["spec"]["ingress"], selector: Any = ()) -> dict[str, Any]:
    return {"spec": {"podSelector": dict(selector), "ingress": ingress}}


ANYBODY = {"ipBlock": {"cidr": "0.0.0.0/0"}}


@pytest.mark.parametrize(
    ("live", "path", "actual"),
    [
        (policy(ingress=[{}, *POLICY["spec"]["ingress"]]), "spec.ingress", [{}]),
        (
            policy(ingress=[{"from": [ANYBODY, *POLICY["spec"]["ingress"][0]["from"]]}]),
            "spec.ingress[0].from",
            [ANYBODY],
        ),
        (
            policy(ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "a"}}, "namespaceSelector": {}}]}]),
            "spec.ingress[0].from[0].namespaceSelector",
            {},
        ),
        (policy(selector={"matchLabels": {"app": "nothing"}}), "spec.podSelector.matchLabels", {"app": "nothing"}),
    ],
    ids=["first of a list", "in an element", "wider element", "empty map"],
)
def test_an_addition_is_found_whoever_owns_it(live: dict[str, Any], path: str, actual: Any) -> None:
    key = ("NetworkPolicy::example", path)
    others = owned("kubectl-patch", PROGRAM["fieldsV1"])
    as_program = owned(MANAGER, PROGRAM["fieldsV1"])
    applied = owned(MANAGER, PROGRAM["fieldsV1"], "Apply")
    controller = owned("kube-controller-manager", PROGRAM["fieldsV1"])
    for owners in ([others], [as_program], [applied], [applied, others], [controller], []):
        drift = rows([DeclaredObject.of(POLICY, live, *owners, stored=POLICY)])
        drift.pop(("NetworkPolicy::example", "metadata.managedFields"), None)
        assert drift == {key: (None, actual)}, owners


def test_removed_owners_are_found() -> None:
    item = DeclaredObject.of(POLICY, POLICY, stored=POLICY)
    assert rows([item]) == {("NetworkPolicy::example", "metadata.managedFields"): (MANAGER, None)}


def test_a_manager_is_the_program_only_with_the_name_in_the_state() -> None:
    another = owned("pulumi-kubernetes-9", {"f:metadata": {"f:labels": {"f:team": {}}}}, "Apply")
    item = DeclaredObject.of(POLICY, {**POLICY, "metadata": {"labels": {"team": "a"}}}, PROGRAM, another)
    assert rows([item]) == {("NetworkPolicy::example", "metadata.labels"): (None, {"team": "a"})}


def deployment(**live: Any) -> DeclaredObject:
    declared = {"spec": {"template": {"spec": {"containers": [{"name": "api", "image": "api:1"}]}}}}
    containers: dict[str, Any] = {"f:containers": {'k:{"name":"api"}': {".": {}, "f:image": {}, "f:name": {}}}}
    program = owned(MANAGER, {"f:spec": {"f:template": {"f:spec": containers}}}, "Apply")
    return DeclaredObject.of(declared, live, program, *live.pop("owners"), kind="apps/v1:Deployment")


def test_defaults_and_expected_changes_are_no_drift() -> None:
    restarted = {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}
    item = deployment(
        metadata={"annotations": {"deployment.kubernetes.io/revision": "2"}},
        spec={
            "replicas": 5,
            "strategy": {"type": "RollingUpdate"},
            "template": {
                "metadata": restarted,
                "spec": {
                    "containers": [{"name": "api", "image": "api:1", "imagePullPolicy": "IfNotPresent"}],
                    "dnsPolicy": "ClusterFirst",
                    "securityContext": {},
                },
            },
        },
        owners=[
            owned("kubectl", {"f:spec": {"f:replicas": {}}}, subresource="scale"),
            owned(
                "kube-controller-manager",
                {"f:metadata": {"f:annotations": {".": {}, "f:deployment.kubernetes.io/revision": {}}}},
                subresource="status",
            ),
            owned("kubectl-rollout", {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {}}}}}),
        ],
    )
    assert rows([item]) == {}


def test_only_the_annotation_of_a_controller_is_expected_and_not_its_manager() -> None:
    priority = {"traefik.ingress.kubernetes.io/router.priority": "9"}
    owned_names = [*priority, "deprecated.daemonset.template.generation"]
    fields: dict[str, Any] = {"f:metadata": {"f:annotations": {f"f:{name}": {} for name in owned_names}}}
    item = deployment(
        metadata={
            "annotations": {
                "deployment.kubernetes.io/revision": "2",
                "deprecated.daemonset.template.generation": "3",
                **priority,
            }
        },
        spec={"template": {"spec": {"containers": [{"name": "api", "image": "api:1"}]}}},
        owners=[owned("kube-controller-manager", fields)],
    )
    assert rows([item]) == {
        (
            "Deployment::example",
            'metadata.annotations["traefik.ingress.kubernetes.io/router.priority"]',
        ): (None, "9")
    }


def test_what_an_import_transferred_to_the_program_is_no_manual_change() -> None:
    live = {"spec": {**POLICY["spec"], "policyTypes": ["Ingress"]}}
    program = owned(MANAGER, {"f:spec": {"f:ingress": {}, "f:podSelector": {}, "f:policyTypes": {}}}, "Apply")
    imported = DeclaredObject.of(POLICY, live, program, applied=live, op="update", changed=["spec.policyTypes"])
    assert rows([imported]) == {}
    assert rows([DeclaredObject.of(POLICY, live, program)]) == {
        ("NetworkPolicy::example", "spec.policyTypes"): (None, ["Ingress"])
    }


SECRET_DATA = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": '{"A": "QQ=="}'}


def test_a_key_of_a_secret_is_found_without_its_value() -> None:
    for owner in (owned(MANAGER, {"f:data": {"f:B": {}}}, "Apply"), owned("kubectl-patch", {"f:data": {"f:B": {}}})):
        item = DeclaredObject.of(
            {"data": "[secret]"},
            {"data": {"A": "QQ==", "B": "Qg=="}},
            owned(MANAGER, {"f:data": {"f:A": {}}}, "Apply", apiVersion="v1"),
            owner,
            kind="core/v1:Secret",
            applied={"data": SECRET_DATA},
        )
        assert rows([item]) == {("Secret::example", "data.B"): (None, "[secret]")}


def test_users_and_passwords_in_urls_are_masked() -> None:
    masking = Masking({})
    value: JsonValue = [
        {"name": "HTTPS_PROXY", "value": "http://ada:hunter2@203.0.113.9:3128/x@y"},
        "redis://:pw@redis:6379",
    ]
    assert format_value(value, masking) == (
        "{name: HTTPS_PROXY, value: http://[secret]@203.0.113.9:3128/x@y}, redis://[secret]@redis:6379"
    )
    assert masking("https://example.com/a@b") == "https://example.com/a@b"


def test_the_rows_of_an_object_replace_those_of_the_plan() -> None:
    live = policy(ingress=[{"from": [ANYBODY, *POLICY["spec"]["ingress"][0]["from"]]}])
    shifted = DriftRow(resource="NetworkPolicy::example", property="spec.ingress", declared=["a"], actual=["b"])
    others = [
        DriftRow(resource="NetworkPolicy::another", property="spec.ingress", declared="a", actual="b"),
        DriftRow(resource="NetworkPolicy::example", property="spec", declared="[secret]", actual="b"),
    ]
    objects = drifts(
        [DeclaredObject.of(POLICY, live, PROGRAM, op="update", changed=["spec.ingress[0].from[0].ipBlock"])]
    )
    merged = list(merged_rows([shifted, *others], objects))
    assert merged[:2] == others
    assert [row.property for row in merged[2:]] == ["spec.ingress[0].from"]
    # The provider reports no change that the object does not have, for example because it was reverted meanwhile.
    reverted = drifts([DeclaredObject.of(POLICY, POLICY, PROGRAM, op="update", changed=["spec.ingress"])])
    assert list(merged_rows([shifted], reverted)) == [shifted]


def test_declared_values_differ_only_where_the_provider_reports_a_change() -> None:
    declared = {"spec": {"a": 1, "b": 1, "c": "x", "d": "x", "e": [], "f": [{"name": "n", "v": 1}]}}
    live = {"spec": {"a": 2, "b": 2, "f": [{"name": "m", "v": 1}]}}
    program = owned(MANAGER, {"f:spec": {"f:a": {}, "f:b": {}, "f:f": {}}}, "Apply")
    item = DeclaredObject.of(declared, live, program, op="update", changed=["spec.a", "spec.c", "spec.f[0].name"])
    assert rows([item]) == {
        ("NetworkPolicy::example", "spec.a"): (1, 2),
        ("NetworkPolicy::example", "spec.c"): ("x", None),
        ("NetworkPolicy::example", "spec.f[n]"): ({"name": "n", "v": 1}, None),
        ("NetworkPolicy::example", "spec.f[m]"): (None, {"name": "m", "v": 1}),
    }
