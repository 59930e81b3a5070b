"""The roles of CI: deployer and viewer have the permissions that the program's resources need, and no others."""

from collections.abc import Iterator
from typing import Any

import pytest

from infra.cluster.rbac import monitoring_reader_rules
from ops.drift.undeclared import KINDS_WITH_PODS
from tests.unit.capture import Capture
from tests.unit.manifests import Object, manifests, of_kind

GUARDRAIL_NAMES = {"default-deny", "default", "deployer", "viewer", "traefik", "vmagent"}
"""Guardrails in the namespace of the product: a NetworkPolicy, the default ServiceAccount, the roles, the accounts."""
MONITORING = ("monitoring", "node-exporter", "logs")
"""Namespaces whose objects both roles only read."""
WRITE_VERBS = {"create", "patch", "delete", "update", "deletecollection"}
FORBIDDEN_VERBS = {"*", "bind", "escalate", "impersonate", "update", "deletecollection"}

ResourceType = tuple[str, str]
"""API group and plural resource name."""


def resource_type(item: Object) -> ResourceType:
    group, _, version = str(item["apiVersion"]).rpartition("/")
    assert version
    name = str(item["kind"]).lower()
    return group, name[:-1] + "ies" if name.endswith("y") else name + "es" if name.endswith("ss") else name + "s"


def declared(program: Capture, *, guardrails: bool) -> set[ResourceType]:
    """The resource types that the program registers: guardrails, or objects of the product."""
    return {
        resource_type(item)
        for item in manifests(program)
        if is_guardrail(item) == guardrails and item["metadata"].get("namespace") not in MONITORING
    }


def is_guardrail(item: Object) -> bool:
    return item["metadata"].get("namespace") != "honeydue" or item["metadata"]["name"] in GUARDRAIL_NAMES


def role(program: Capture, kind: str, name: str) -> Object:
    """A role by its name. A Role is that of the app namespace."""
    (match,) = (
        item
        for item in of_kind(manifests(program), kind)
        if item["metadata"]["name"] == name and item["metadata"].get("namespace") in {None, "honeydue"}
    )
    return match


def permissions_of(item: Object) -> Iterator[tuple[ResourceType, str]]:
    for rule in item["rules"]:
        if "nonResourceURLs" in rule:
            assert rule == {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}
            continue
        assert rule.keys() - {"resourceNames"} == {"apiGroups", "resources", "verbs"}
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    yield (group, resource), verb


def test_the_deployer_can_change_exactly_the_resource_types_of_the_product(program: Capture) -> None:
    permissions = set(permissions_of(role(program, "Role", "deployer")))
    for verb in ("get", "create", "patch", "delete"):
        assert {kind for kind, allowed in permissions if allowed == verb} == declared(program, guardrails=False), verb


def test_the_viewer_can_read_every_resource_type_of_the_product_except_secrets(program: Capture) -> None:
    permissions = set(permissions_of(role(program, "Role", "viewer")))
    assert {kind for kind, verb in permissions if verb == "get"} == declared(program, guardrails=False) - {
        ("", "secrets")
    }
    assert not {kind for kind, _ in permissions if kind[1] == "secrets"}
    assert not {verb for _, verb in permissions} & WRITE_VERBS


def test_guardrails_are_read_only_for_both(program: Capture) -> None:
    permissions = set(permissions_of(role(program, "ClusterRole", "honeydue-guards")))
    assert {kind for kind, verb in permissions if verb != "get"} == {("", "nodes")}
    assert not {verb for _, verb in permissions} & WRITE_VERBS
    assert {kind for kind, verb in permissions if verb == "get"} - {("storage.k8s.io", "storageclasses")} == declared(
        program, guardrails=True
    ) - {("", "secrets")}


def in_namespace(program: Capture, kind: str, namespace: str, name: str) -> list[Object]:
    return [
        item
        for item in of_kind(manifests(program), kind)
        if (item["metadata"].get("namespace"), item["metadata"]["name"]) == (namespace, name)
    ]


@pytest.mark.parametrize("namespace", MONITORING)
@pytest.mark.parametrize("account", ["deployer", "viewer"])
def test_the_objects_of_monitoring_are_read_only_for_both(full_example: Capture, namespace: str, account: str) -> None:
    everywhere = set(permissions_of(role(full_example, "ClusterRole", "honeydue-guards")))
    (readable,) = in_namespace(full_example, "Role", namespace, account)
    permissions = set(permissions_of(readable)) | everywhere
    objects = {
        resource_type(item) for item in manifests(full_example) if item["metadata"].get("namespace") == namespace
    }
    secrets = {("", "secrets")} if account == "viewer" else set()
    assert objects - secrets <= {kind for kind, verb in permissions if verb == "get"}
    assert not {verb for _, verb in permissions} & WRITE_VERBS
    assert not secrets & {kind for kind, _ in permissions}
    named = {name for rule in readable["rules"] for name in rule.get("resourceNames", [])}
    declared_secrets = {
        item["metadata"]["name"]
        for item in of_kind(manifests(full_example), "Secret")
        if item["metadata"]["namespace"] == namespace
    }
    assert declared_secrets - named == set() if account == "deployer" else named == set()
    (binding,) = in_namespace(full_example, "RoleBinding", namespace, account)
    assert [subject["name"] for subject in binding["subjects"]] == [account]


def test_only_the_deployer_reads_the_secrets_outside_the_namespace_by_name(program: Capture) -> None:
    """They contain the keys of the bucket with all snapshots, and the login of the registry."""
    secrets = {
        item["metadata"]["name"]
        for item in of_kind(manifests(program), "Secret")
        if is_guardrail(item) and item["metadata"]["namespace"] not in MONITORING
    }
    roles = {
        (item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]): item["rules"]
        for kind in ("Role", "ClusterRole")
        for item in of_kind(manifests(program), kind)
        if item["metadata"].get("namespace") not in {"honeydue", *MONITORING}
        and any("secrets" in rule.get("resources", ()) for rule in item["rules"])
    }
    if not secrets:
        assert roles == {}
        return
    assert roles.keys() == {("Role", "kube-system", "deployer")}
    ((rule,),) = roles.values()
    assert (rule["resources"], set(rule["resourceNames"]), rule["verbs"]) == (["secrets"], secrets, ["get"])
    (binding,) = in_namespace(program, "RoleBinding", "kube-system", "deployer")
    assert binding["roleRef"]["name"] == "deployer"
    assert [subject["name"] for subject in binding["subjects"]] == ["deployer"]


def test_drift_can_list_everything_that_runs_containers_in_the_namespaces_of_monitoring() -> None:
    rules: list[Any] = list(monitoring_reader_rules())
    listed = {
        (group, resource)
        for rule in rules
        for group in rule.api_groups
        for resource in rule.resources
        if "list" in rule.verbs
    }
    for version, kind in KINDS_WITH_PODS:
        assert resource_type({"apiVersion": version, "kind": kind}) in listed


@pytest.mark.parametrize("kind", ["Role", "ClusterRole"])
def test_no_role_has_wildcards_or_privilege_escalation(program: Capture, kind: str) -> None:
    for item in of_kind(manifests(program), kind):
        for (group, resource), verb in permissions_of(item):
            assert "*" not in group + resource, item["metadata"]["name"]
            assert verb not in FORBIDDEN_VERBS, item["metadata"]["name"]
            assert resource not in {"pods/exec", "pods/attach", "nodes/proxy", "serviceaccounts/token"}


@pytest.mark.parametrize("kind", ["RoleBinding", "ClusterRoleBinding"])
def test_every_binding_refers_to_a_role_of_the_program(program: Capture, kind: str) -> None:
    declared_roles = {
        item["metadata"]["name"] for name in ("Role", "ClusterRole") for item in of_kind(manifests(program), name)
    }
    accounts = of_kind(manifests(program), "ServiceAccount")
    monitoring = {
        (item["metadata"]["namespace"], item["metadata"]["name"])
        for item in accounts
        if item["metadata"].get("namespace") in MONITORING
    }
    for item in of_kind(manifests(program), kind):
        assert item["roleRef"]["name"] in declared_roles
        for subject in item["subjects"]:
            assert subject["kind"] == "ServiceAccount"
            assert subject["namespace"] == "kube-system" or (subject["namespace"], subject["name"]) in monitoring
