"""What these tests need is built and fetched first."""

import pytest
from rich.console import Console

from rehearsal.images import catalogue
from tools import build, programs


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    build.build_missing(Console(stderr=True), [programs.named(name) for name in catalogue.PROGRAMS])
