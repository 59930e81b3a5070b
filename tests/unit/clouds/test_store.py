"""The state file of a simulated cloud: concurrent requests, failures and reads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from rehearsal.clouds.store import BrokenStateError, Store
from tests.unit.plugins.engine import Engine, without_defaults


def test_concurrent_creations_get_different_ids(tmp_path: Path) -> None:
    type_ = "hcloud:index/placementGroup:PlacementGroup"
    engines = [Engine("hcloud", tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        created = list(
            pool.map(lambda index: engines[index % 4].create(type_, {"name": f"g{index}", "type": "spread"}), range(24))
        )
    assert len({resource.id for resource in created}) == 24
    assert len(Store(tmp_path / "hetzner.json").read().of("placement_groups")) == 24


def test_a_failed_transaction_changes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "x.json")

    def interrupted() -> None:
        with store.transaction() as state:
            state.of("t")["1"] = {"a": 1}
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert store.read().collections == {}


def test_the_error_names_an_invalid_state_file(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(BrokenStateError, match=r"x\.json is not valid JSON"):
        Store(tmp_path / "x.json").read()


def test_reading_does_not_write_the_state(tmp_path: Path) -> None:
    engine = Engine("hcloud", tmp_path)
    created = engine.create("hcloud:index/placementGroup:PlacementGroup", {"name": "g", "type": "spread"})
    state = tmp_path / "hetzner.json"
    before = state.stat()
    assert engine.read(created) == replace(created, inputs=without_defaults(created.inputs))
    assert state.stat().st_ino == before.st_ino
