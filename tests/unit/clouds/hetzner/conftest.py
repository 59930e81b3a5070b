"""Fixtures of the tests of the simulated Hetzner API."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.clouds import rules
from tests.unit.clouds.api import Api


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api("hetzner", tmp_path)


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "STRICT", True)
