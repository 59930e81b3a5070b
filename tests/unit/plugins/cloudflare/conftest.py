"""Fixtures of the tests of the simulated cloudflare plugin."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.clouds.api import account
from tests.unit.plugins.engine import Engine


@pytest.fixture
def cloudflare(tmp_path: Path) -> Engine:
    account(tmp_path)
    return Engine("cloudflare", tmp_path)


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())
