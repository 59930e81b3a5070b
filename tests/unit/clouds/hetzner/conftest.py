"""Fixtures of the tests of the simulated Hetzner API."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.clouds.api import Api


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api("hetzner", tmp_path)
