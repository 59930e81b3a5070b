"""Check and Diff of the simulated plugins return the recorded results of the real plugins (`recorded/`)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.unit.plugins.engine import Engine

RECORDED = Path(__file__).parents[1] / "recorded"


def _cases(part: str) -> list[Any]:
    cases = []
    for name in ("hcloud", "cloudflare"):
        recorded = json.loads((RECORDED / f"{name}-answers.json").read_text())
        cases += [pytest.param(name, case, id=f"{name}: {case['case']}") for case in recorded[part]]
    return cases


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("clouds")

    @cache
    def of(name: str) -> Engine:
        return Engine(name, folder)

    return of


@pytest.mark.parametrize(("name", "case"), _cases("checks"))
def test_check_returns_the_recorded_reasons(engine: Any, name: str, case: dict[str, Any]) -> None:
    assert engine(name).reasons(case["type"], case["inputs"]) == case.get("reasons", [])
    assert case["accepted"] == (not case.get("reasons"))


@pytest.mark.parametrize(("name", "case"), _cases("diffs"))
def test_diff_returns_the_recorded_replacements(engine: Any, name: str, case: dict[str, Any]) -> None:
    assert list(engine(name).diff(case["type"], case["old"], case["new"]).replaces) == sorted(case["replaces"])
