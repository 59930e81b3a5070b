"""The parts of an adoption that need no engine: import files, field managers, restarts, removed keys."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from ops.adoption.discovery import import_files, mounted_by
from ops.adoption.field_managers import transferred
from ops.adoption.removed_keys import removed_keys
from ops.adoption.restarts import Restart, restarts
from ops.engine.imports import ImportFile
from ops.kubeconfig import without_permissions
from ops.plan import Plan

STACK = "urn:pulumi:prod::honeydue::"
ADDRESSES, ADDRESS = "honeydue:machines:NodeAddresses", "hcloud:index/primaryIp:PrimaryIp"
URN = f"{STACK}{ADDRESSES}${ADDRESS}::hetzner1"


def step(op: str, urn: str, type_: str, name: str = "newState", **state: object) -> Mapping[str, object]:
    return {"op": op, "urn": urn, name: {"urn": urn, "type": type_, "custom": type_ == ADDRESS, **state}}


PLAN = Plan.model_validate(
    {
        "steps": [
            step("create", f"{STACK}{ADDRESSES}::addresses", ADDRESSES),
            step("create", URN, ADDRESS),
            step("create", URN.replace("hetzner1", "hetzner2"), ADDRESS),
        ]
    }
)
FILE = ImportFile.model_validate(
    {
        "nameTable": {"cluster": "urn:of-the-cluster"},
        "resources": [
            {"type": ADDRESSES, "name": "addresses", "component": True},
            {"type": "pulumi:providers:hcloud", "name": "hetzner", "inputs": {"token": {"ciphertext": "v1:x"}}},
            {
                "type": ADDRESS,
                "name": "hetzner1PrimaryIp",
                "logicalName": "hetzner1",
                "id": "<PLACEHOLDER>",
                "parent": "addresses",
            },
            {"type": ADDRESS, "name": "hetzner2", "id": "<PLACEHOLDER>", "parent": "addresses"},
        ],
    }
)


def test_a_resource_is_imported_after_its_parents_with_its_id() -> None:
    parents, imported = import_files(FILE, PLAN, {URN: "1006"})
    assert [resource.name for resource in parents.resources] == ["addresses"]
    assert [(resource.name, resource.id) for resource in imported.resources] == [
        ("hetzner", None),
        ("hetzner1PrimaryIp", "1006"),
    ]
    assert imported.name_table == {"cluster": "urn:of-the-cluster", "addresses": f"{STACK}{ADDRESSES}::addresses"}
    content = imported.model_dump(by_alias=True, exclude_none=True)["resources"]
    assert content[0]["inputs"] == {"token": {"ciphertext": "v1:x"}}
    assert content[1]["parent"] == "addresses"
    assert content[1]["logicalName"] == "hetzner1"


def test_without_findings_nothing_is_imported() -> None:
    assert import_files(FILE, PLAN, {}) == []


def test_a_volume_claim_belongs_to_the_deployment_that_mounts_it() -> None:
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "redis-data"}}, {"name": "x", "emptyDir": {}}]
    inputs = {"spec": {"template": {"spec": {"volumes": volumes}}}}
    deployment = step(
        "create", f"{STACK}kubernetes:apps/v1:Deployment::redis", "kubernetes:apps/v1:Deployment", inputs=inputs
    )
    assert mounted_by(Plan.model_validate({"steps": [deployment]})) == {"redis-data": "redis"}


def fields(manager: str, operation: str, content: Mapping[str, Any], **more: str) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": content,
        **more,
    }


MANAGER = "pulumi-kubernetes-1"


def test_fields_of_kubectl_are_transferred_to_pulumi() -> None:
    applied = fields(
        "kubectl-client-side-apply", "Update", {"f:spec": {"f:replicas": {}, "f:template": {"f:metadata": {}}}}
    )
    set_ = fields("kubectl-set", "Update", {"f:spec": {"f:template": {"f:spec": {}}}})
    (entry,) = transferred(MANAGER, "apps/v1", [applied, set_])
    assert (entry["manager"], entry["operation"]) == (MANAGER, "Apply")
    assert entry["fieldsV1"] == {"f:spec": {"f:replicas": {}, "f:template": {"f:metadata": {}, "f:spec": {}}}}


def test_fields_of_pulumi_are_kept() -> None:
    current = fields(MANAGER, "Apply", {"f:spec": {"f:paused": {}}})
    (entry,) = transferred(
        MANAGER, "apps/v1", [current, fields("kubectl-edit", "Update", {"f:spec": {"f:replicas": {}}})]
    )
    assert entry["fieldsV1"] == {"f:spec": {"f:paused": {}, "f:replicas": {}}}


def test_fields_of_controllers_statuses_and_other_versions_are_not_transferred() -> None:
    others = [
        fields("kube-controller-manager", "Update", {"f:spec": {"f:replicas": {}}}, subresource="scale"),
        fields("kubectl-edit", "Update", {"f:status": {}}, subresource="status"),
        {**fields("kubectl-create", "Update", {"f:spec": {}}), "apiVersion": "autoscaling/v1"},
    ]
    assert transferred(MANAGER, "apps/v1", others) == []
    kubectl = fields("kubectl-client-side-apply", "Update", {"f:spec": {"f:paused": {}}})
    assert list(transferred(MANAGER, "apps/v1", [*others, kubectl]))[1:] == others


def pod(image: str = "api:1", **changes: object) -> dict[str, Any]:
    spec = {"containers": [{"name": "api", "image": image}], "dnsPolicy": "ClusterFirst", **changes}
    return {"metadata": {"labels": {"app": "api"}}, "spec": spec}


def event(old: Mapping[str, Any], new: Mapping[str, Any], *, strategy: str = "RollingUpdate", replicas: int = 3) -> Any:
    def state(template: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"outputs": {"spec": {"template": template, "replicas": replicas, "strategy": {"type": strategy}}}}

    metadata = {
        "op": "update",
        "type": "kubernetes:apps/v1:Deployment",
        "urn": f"{STACK}x::api",
        "old": state(old),
        "new": state(new),
    }
    return {"resOutputsEvent": {"metadata": metadata}}


def test_a_restart_has_the_changed_fields_of_the_pod() -> None:
    changed = {
        **pod("api:2", securityContext={"runAsNonRoot": True}),
        "metadata": {"labels": {"app": "api", "part": "app"}},
    }
    (restart,) = restarts([event(pod(), changed)])
    assert restart == Restart(name="api", pods=3, rolling=True, changed=("image", "labels", "securityContext"))
    assert str(restart).startswith("api (3 pods, one at a time")
    (recreated,) = restarts([event(pod(), pod("api:2"), strategy="Recreate", replicas=1)])
    assert str(recreated) == "api (1 pod, stopped before its replacement starts): image"
    (none,) = restarts([event(pod(), pod("api:2"), replicas=0)])
    assert none.pods == 0


@pytest.mark.parametrize("type_", ["kubernetes:apps/v1:DaemonSet", "kubernetes:apps/v1:StatefulSet"])
def test_a_workload_that_replaces_its_pods_in_place_stops_them_first(type_: str) -> None:
    changed = event(pod(), pod("api:2"))
    metadata = changed["resOutputsEvent"]["metadata"]
    metadata["type"] = type_
    del metadata["new"]["outputs"]["spec"]["replicas"]
    metadata["new"]["outputs"]["status"] = {"desiredNumberScheduled": 3}
    (restart,) = restarts([changed])
    assert str(restart) == "api (3 pods, stopped before its replacement starts): image"


def test_an_unchanged_pod_template_is_no_restart() -> None:
    unchanged = event(pod(), pod())
    # After an adoption the inputs contain fewer fields than the live object.
    unchanged["resOutputsEvent"]["metadata"]["detailedDiff"] = {"spec.template.spec.dnsPolicy": {"diffKind": "delete"}}
    assert list(restarts([unchanged, {"diagnosticEvent": {}}])) == []


def test_removed_keys_are_listed_without_their_values() -> None:
    diff = {
        "data.DB_MAX_OPEN_CONNS": {"diffKind": "delete"},
        'data["apns.p8"]': {"diffKind": "delete"},
        "data.NEW": {"diffKind": "add"},
        "metadata.labels.x": {"diffKind": "delete"},
    }
    metadata = {
        "op": "update",
        "type": "kubernetes:core/v1:ConfigMap",
        "urn": f"{STACK}kubernetes:core/v1:ConfigMap::config",
    }
    events: list[Any] = [
        {"resourcePreEvent": {"metadata": {**metadata, "detailedDiff": diff}}},
        {"resourcePreEvent": {"metadata": metadata}},
    ]
    assert list(removed_keys(events)) == ["ConfigMap::config: DB_MAX_OPEN_CONNS, apns.p8"]


KUBECONFIG = """
contexts: [{name: default, context: {cluster: k3s, user: admin}}, {name: other, context: {cluster: k3s, user: other}}]
users: [{name: admin, user: {client-key-data: x}}, {name: other, user: {token: y}}]
"""


def test_the_planner_impersonates_a_user_without_permissions() -> None:
    users = {user["name"]: user["user"] for user in yaml.safe_load(without_permissions(KUBECONFIG, "default"))["users"]}
    assert users == {"admin": {"client-key-data": "x", "as": "honeydue:planner"}, "other": {"token": "y"}}


@pytest.mark.parametrize("content", ["", "x", "{", "contexts: []"])
def test_an_invalid_kubeconfig_is_returned_unchanged(content: str) -> None:
    assert without_permissions(content, "default") == content
