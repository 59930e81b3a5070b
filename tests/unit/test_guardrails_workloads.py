"""The guard rails for workloads of every kind: deletions, and rollouts that replace pods in place."""

import pytest

from ops.guardrails.rules import check
from ops.resource_types import DAEMON_SET, DEPLOYMENT, STATEFUL_SET
from tests.unit.plans import plan, step


@pytest.mark.parametrize("type_", [DAEMON_SET, STATEFUL_SET])
@pytest.mark.parametrize(("unavailable", "refused"), [(None, False), (0, False), (1, False), (2, True), ("50%", True)])
def test_pods_that_are_replaced_in_place_stop_one_at_a_time(type_: str, unavailable: object, refused: bool) -> None:
    spec = {"updateStrategy": {"rollingUpdate": {"maxUnavailable": unavailable}}}
    found = check(plan(step("update", type_, "part", inputs={"spec": spec})))
    assert [violation.rule for violation in found] == (["no_unavailable_pods"] if refused else [])


@pytest.mark.parametrize("type_", [DEPLOYMENT, DAEMON_SET, STATEFUL_SET])
def test_a_deleted_workload_stops_its_pods(type_: str) -> None:
    (violation,) = check(plan(step("delete", type_, "part")))
    assert violation.reason == "would be deleted: its pods stop"
