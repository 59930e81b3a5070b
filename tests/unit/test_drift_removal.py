"""`make up REFRESH=1`: it removes what somebody added to a live object, as part of the plan."""

from collections.abc import Sequence
from typing import Any

import pytest

from ops.drift.managed_fields import without
from ops.drift.removal import Removal, removals_of, with_removals
from ops.drift.rows import manual_changes
from ops.errors import OpsError
from ops.guardrails.rules import check
from ops.guardrails.summary import changed_properties
from ops.kubernetes import Object
from tests.unit.live_objects import (
    MANAGER,
    DeclaredObject,
    PatchedCluster,
    drifts,
    owned,
    recorded,
    refreshed,
    rows,
)
from tests.unit.plans import FIREWALL, NETWORK_POLICY, SECRET, plan, step

POLICY: dict[str, Any] = {"spec": {"ingress": [{"from": ["a"]}]}}
OPENED: dict[str, Any] = {"spec": {"ingress": [{"from": ["a"]}, {}]}}


def removals(objects: Sequence[DeclaredObject]) -> Sequence[Removal]:
    return removals_of(with_removals(refreshed(objects), drifts(objects)))


def apply(objects: Sequence[DeclaredObject], *, before_patch: Any = lambda _: None) -> None:
    cluster = PatchedCluster(objects, before_patch)
    for removal in removals(objects):
        removal.apply(cluster)


def managers(live: Object) -> set[str]:
    return {entry["manager"] for entry in live["metadata"]["managedFields"] if not entry.get("subresource")}


def test_recorded_changes_are_removed() -> None:
    objects = recorded()
    assert len(removals(objects)) == 11
    apply(objects)
    # The engine restores declared values.
    label = ("Namespace::honeydue", 'metadata.labels["pod-security.kubernetes.io/enforce"]')
    assert set(rows(objects)) == {label}


def test_the_program_owns_what_remains() -> None:
    item = DeclaredObject.of(POLICY, OPENED, owned("kubectl-patch", {"f:spec": {"f:ingress": {}}}))
    apply([item])
    (entry,) = item.live["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == (MANAGER, "Apply")
    assert entry["fieldsV1"] == {"f:spec": {"f:ingress": {}}}


def test_the_default_of_a_removed_field_has_no_owner() -> None:
    fields: dict[str, Any] = {
        "f:spec": {
            "f:type": {},
            "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:nodePort": {}}, 'k:{"port":81}': {"f:name": {}}},
        }
    }
    service = {"spec": {"type": "NodePort", "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30123}]}}
    ports = fields["f:spec"]["f:ports"]
    assert without(fields, service, ("spec", "type")) == {"f:spec": {"f:ports": ports}}
    assert without({"f:spec": {"f:type": {}}}, service, ("spec", "type")) == {}
    assert without(fields, service, ("spec", "ports", 0, "nodePort")) == {
        "f:spec": {"f:type": {}, "f:ports": {**ports, 'k:{"port":80,"protocol":"TCP"}': {".": {}}}}
    }
    assert without(fields, service, ("spec", "selector")) == fields


def test_removed_owners_are_restored() -> None:
    item = DeclaredObject.of(POLICY, OPENED, stored=POLICY)
    apply([item])
    (entry,) = item.live["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == (MANAGER, "Apply")
    assert entry["fieldsV1"] == {"f:spec": {"f:ingress": {}}, "f:metadata": {}}
    assert rows([item]) == {}


def test_an_object_that_changed_since_the_plan_is_refused() -> None:
    item = DeclaredObject.of(POLICY, OPENED, owned("kubectl-patch", {"f:spec": {"f:ingress": {}}}))
    (removal,) = removals([item])
    changed = DeclaredObject.of(POLICY, {"spec": {"ingress": [{}, {"from": ["a"]}]}})
    with pytest.raises(OpsError, match="NetworkPolicy::example changed since the plan was computed"):
        removal.apply(PatchedCluster([changed], lambda _: None))
    with pytest.raises(OpsError, match="NetworkPolicy::example was deleted since the plan was computed"):
        removal.apply(PatchedCluster([], lambda _: None))


def test_the_patch_is_refused_if_the_object_changes_at_the_last_moment() -> None:
    item = DeclaredObject.of(POLICY, OPENED, owned("kubectl-patch", {"f:spec": {"f:ingress": {}}}))

    def another_change(live: dict[str, Any]) -> None:
        live["metadata"]["resourceVersion"] = "2"

    with pytest.raises(OpsError, match="the value at /metadata/resourceVersion differs"):
        apply([item], before_patch=another_change)
    assert item.live["spec"] == OPENED["spec"]


def test_a_controller_that_writes_the_status_does_not_prevent_the_transfer() -> None:
    item = DeclaredObject.of(POLICY, OPENED, owned("kubectl-patch", {"f:spec": {"f:ingress": {}}}))
    patches = []

    def status(live: dict[str, Any]) -> None:
        patches.append(live)
        if len(patches) == 2:
            live["metadata"]["resourceVersion"] = "status"

    apply([item], before_patch=status)
    assert managers(item.live) == {MANAGER}


def test_several_elements_of_a_list_are_removed() -> None:
    live = {"spec": {"ingress": [{}, {"from": ["a"]}, {"from": ["b"]}, {"from": ["c"]}]}}
    item = DeclaredObject.of(POLICY, live, owned("kubectl-patch", {"f:spec": {"f:ingress": {}}}))
    apply([item])
    assert item.live["spec"] == POLICY["spec"]


def test_an_element_in_the_place_of_a_declared_one_is_replaced_by_the_engine() -> None:
    live = {"spec": {"ingress": [{"from": ["b"]}]}}
    item = DeclaredObject.of(POLICY, live, owned("kubectl-patch", {"f:spec": {"f:ingress": {}}}))
    assert rows([item]) == {("NetworkPolicy::example", "spec.ingress"): ([{"from": ["a"]}], [{"from": ["b"]}])}
    # Without any element, the API server might reject the object.
    assert removals([item]) == []


def test_a_removal_is_a_change_of_the_plan_that_the_guard_rails_check() -> None:
    objects = recorded()
    refreshed_plan = with_removals(refreshed(objects), drifts(objects))
    (deployment,) = (step for step in refreshed_plan.changes if step.short == "Deployment::api")
    assert changed_properties(deployment) == (
        "spec.template.spec.containers[api].env, spec.template.spec.containers[sidecar] (its pods roll)"
    )
    # The recorded step has no dependencies.
    assert "migration_first" in {violation.rule for violation in check(refreshed_plan)}
    assert "migration_first" not in {violation.rule for violation in check(refreshed(objects))}


def test_a_removal_names_who_added_the_values() -> None:
    item = DeclaredObject.of(POLICY, OPENED, owned("kubectl-patch", {"f:spec": {"f:ingress": {}}}))
    assert list(map(str, removals([item]))) == ["NetworkPolicy::example spec.ingress (by kubectl-patch)"]


def test_only_changes_outside_of_the_program_are_put_back() -> None:
    stored, live, declared = {"proxied": True}, {"proxied": False}, {"proxied": True, "ttl": 60}
    manual = plan(
        step("refresh", FIREWALL, "manual", old={"inputs": stored}),
        step("update", FIREWALL, "manual", changed=("proxied",), old={"inputs": live}, inputs=stored),
        step("refresh", FIREWALL, "program", old={"inputs": stored}),
        step("update", FIREWALL, "program", changed=("ttl",), old={"inputs": stored}, inputs=declared),
        step("refresh", SECRET, "masked", old={"inputs": {"data": "[secret]"}}),
        step(
            "update",
            SECRET,
            "masked",
            changed=("data.A",),
            old={"inputs": {"data": "[secret]"}},
            inputs={"data": "[secret]"},
        ),
        step("refresh", NETWORK_POLICY, "deleted", old={"inputs": {}}),
        step("create", NETWORK_POLICY, "deleted"),
        step("create", NETWORK_POLICY, "new"),
    )
    assert manual_changes(manual) == ["Firewall::manual proxied", "NetworkPolicy::deleted", "Secret::masked data.A"]
