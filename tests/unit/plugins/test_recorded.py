"""Check and Diff of the simulated plugins return the recorded results of the real plugins (`recorded/`).

`differences.jsonl` contains what the plugins of `tests/recorded_requests/` answered to Diff requests. If `paths` is
null, the answer contains only the names of properties.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto.provider_pb2 import PropertyDiff

from rehearsal.plugins.catalog import NAMES, provider
from tests.unit.plugins.engine import Engine, Resource

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
    assert list(
        engine(name).diff(Resource(case["type"], "1", case["old"], case["old"]), case["new"]).replaces
    ) == sorted(case["replaces"])


def _differences() -> list[Any]:
    lines = (RECORDED / "differences.jsonl").read_text().splitlines()
    return [pytest.param(case, id=case["case"]) for case in map(json.loads, lines)]


@pytest.mark.parametrize("case", _differences())
def test_diff_returns_the_recorded_answer(engine: Any, case: dict[str, Any]) -> None:
    resource = Resource(case["type"], "1", case["old"], case["state"])
    diff = engine(case["type"].partition(":")[0]).diff(resource, case["new"], ignored=case.get("ignored", ()))
    paths = {path: PropertyDiff.Kind.Name(change.kind) for path, change in diff.detailedDiff.items()}
    assert {
        "replaces": list(diff.replaces),
        "diffs": list(diff.diffs),
        "paths": {path: kind.lower().replace("_", "-") for path, kind in paths.items()}
        if diff.hasDetailedDiff
        else None,
        "deleteBeforeReplace": diff.deleteBeforeReplace,
    } == case["answer"]


SDKV2 = {
    "hcloud:index/firewall:Firewall",
    "hcloud:index/firewallAttachment:FirewallAttachment",
    "hcloud:index/network:Network",
    "hcloud:index/networkSubnet:NetworkSubnet",
    "hcloud:index/placementGroup:PlacementGroup",
    "hcloud:index/server:Server",
}
"""The types in hcloud/provider.go of terraform-provider-hcloud 1.68. All others are in hcloud/plugin_provider.go."""


@pytest.mark.parametrize("name", NAMES)
def test_each_type_has_the_library_of_the_real_plugin(name: str) -> None:
    kinds = provider(name, lambda: pytest.fail("no request is sent")).kinds.values()
    assert {kind.type for kind in kinds if kind.dialect == "sdk2"} == {
        type_ for type_ in SDKV2 if type_.startswith(f"{name}:")
    }
