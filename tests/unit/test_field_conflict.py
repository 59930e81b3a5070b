"""A field that somebody changed with kubectl: the API server's conflict, in words of this program."""

import pytest

from ops.field_conflict import explain_conflict
from ops.plan import Plan
from tests.unit.fake_engine import CONFLICT
from tests.unit.plans import DEPLOYMENT, urn

IMAGE = '.spec.template.spec.containers[name="api"].image'


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (CONFLICT, "kubectl changed .spec.replicas"),
        (
            f'Apply failed with 1 conflict: conflict with "kubectl-set" using apps/v1: {IMAGE}',
            f"kubectl-set changed {IMAGE}",
        ),
        (
            'Apply failed with 3 conflicts: conflicts with "kubectl" with subresource "scale" using apps/v1:\n'
            f'- .spec.replicas\nconflicts with "kubectl-edit" using apps/v1:\n- {IMAGE}\n- .spec.minReadySeconds',
            f"kubectl, kubectl-edit changed .spec.replicas, {IMAGE}, .spec.minReadySeconds",
        ),
        # With --server-side, the manager has no version.
        (
            'Apply failed with 1 conflict: conflict with "kubectl": .spec.replicas',
            "kubectl changed .spec.replicas",
        ),
    ],
)
def test_fields_and_managers_are_named(message: str, expected: str) -> None:
    explanation = explain_conflict("Deployment::api", message)
    assert explanation is not None
    assert explanation.startswith(f"Deployment::api: {expected} outside of this program. To put back")
    assert "run the same command with REFRESH=1" in explanation


def test_other_errors_keep_their_message() -> None:
    assert explain_conflict("Deployment::api", "the image is missing") is None


def test_a_plan_names_the_resource_of_a_conflict_once() -> None:
    diagnostic = {"message": CONFLICT, "severity": "error", "urn": urn(DEPLOYMENT, "worker")}
    (error,) = Plan.model_validate({"diagnostics": [diagnostic, diagnostic]}).errors
    assert error.startswith("Deployment::worker: kubectl changed .spec.replicas")
