"""Check and Diff of the simulated providers return the recorded results of the real plugins (`recorded/`)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.unit.clouds_client import Engine

RECORDED = Path(__file__).parent / "recorded"


def _cases(part: str) -> list[Any]:
    found = []
    for name in ("hcloud", "cloudflare"):
        answers = json.loads((RECORDED / f"{name}-answers.json").read_text())
        found += [pytest.param(name, case, id=f"{name}: {case['case']}") for case in answers[part]]
    return found


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("clouds")

    @cache
    def of(name: str) -> Engine:
        return Engine(name, folder)

    return of


@pytest.mark.parametrize(("name", "case"), _cases("checks"))
def test_check_gives_the_recorded_verdict(engine: Any, name: str, case: dict[str, Any]) -> None:
    assert engine(name).reasons(case["type"], case["inputs"]) == case.get("reasons", [])
    assert case["accepted"] == (not case.get("reasons"))


@pytest.mark.parametrize(("name", "case"), _cases("diffs"))
def test_diff_replaces_what_was_recorded(engine: Any, name: str, case: dict[str, Any]) -> None:
    assert list(engine(name).diff(case["type"], case["old"], case["new"]).replaces) == sorted(case["replaces"])
