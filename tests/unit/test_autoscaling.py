"""How fast api's autoscaler changes the number of pods."""

import copy
from typing import Any

import pytest

from tests.unit.capture import Capture, example_settings, run


def behavior(**rules: dict[str, object]) -> dict[str, Any]:
    """The declared behavior of api's autoscaler."""
    settings: dict[str, Any] = copy.deepcopy(example_settings())
    settings["honeydue:scale"]["api"] |= rules
    spec: dict[str, Any] = run(settings).resource("HorizontalPodAutoscaler", "api").inputs["spec"]
    declared: dict[str, Any] = spec["behavior"]
    return declared


def test_no_behavior_is_declared_without_the_settings(example: Capture) -> None:
    assert "behavior" not in example.resource("HorizontalPodAutoscaler", "api").inputs["spec"]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"scaleDown": {"stabilization": "10m"}}, {"scaleDown": {"stabilizationWindowSeconds": 600}}),
        # An autoscaler that reacts at once. Zero is a value, and not a missing one.
        ({"scaleDown": {"stabilization": "0s"}}, {"scaleDown": {"stabilizationWindowSeconds": 0}}),
        (
            {"scaleDown": {"pods": 1}, "scaleUp": {"pods": 2, "percent": 50, "period": "30s"}},
            {
                "scaleDown": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]},
                "scaleUp": {
                    "policies": [
                        {"type": "Pods", "value": 2, "periodSeconds": 30},
                        {"type": "Percent", "value": 50, "periodSeconds": 30},
                    ]
                },
            },
        ),
    ],
)
def test_the_behavior_has_what_the_settings_contain_and_nothing_else(
    rules: dict[str, dict[str, object]], expected: dict[str, Any]
) -> None:
    assert behavior(**rules) == expected
