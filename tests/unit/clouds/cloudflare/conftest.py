"""Fixtures of the tests of the simulated Cloudflare API."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.clouds.api import Api


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api("cloudflare", tmp_path)


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())
