"""Fixtures of the tests of the simulated hcloud plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.clouds.api import account
from tests.unit.plugins.engine import Engine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    account(tmp_path, addresses={"hetzner1": "178.104.247.152"})
    return tmp_path


@pytest.fixture
def hcloud(folder: Path) -> Engine:
    return Engine("hcloud", folder)
