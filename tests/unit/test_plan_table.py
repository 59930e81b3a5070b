"""How a plan is shown: paths are never broken, and an incomplete plan is not "No changes."."""

from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console

from ops.guardrails.summary import changes
from ops.plan import Plan
from tests.unit.fake_engine import plan

PATHS = (
    "metadata.labels.app.kubernetes.io/version",
    "metadata.annotations.example",
    "spec.template.spec.containers[0].resources.limits.memory",
    "spec.replicas",
    "spec.progressDeadlineSeconds",
)


def shown(content: Mapping[str, Any], *, width: int) -> str:
    console = Console(soft_wrap=True, highlight=False, width=width)
    with console.capture() as capture:
        console.print(changes(Plan.model_validate(content)))
    return capture.get()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_paths_are_whole_and_those_of_the_metadata_are_last(width: int) -> None:
    content = dict(plan("update"))
    content["steps"][0]["detailedDiff"] = {path: {"kind": "update"} for path in PATHS}
    text = shown(content, width=width)
    order = [text.index(path) for path in ("limits.memory", "spec.replicas", "progressDeadline", "metadata.labels")]
    assert order == sorted(order)
    assert "spec.template.spec.containers.resources.limits.memory" in text
    assert "and 1 more" in text


def test_a_plan_that_could_not_be_made_is_not_without_changes() -> None:
    assert "No changes." in shown(plan("same"), width=80)
    assert shown(plan("same", error="a setting is invalid"), width=80) == ""
