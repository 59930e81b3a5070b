"""What these tests need is built and fetched first."""

from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console

from rehearsal.images import catalogue
from tests.unit.capture import production, run
from tests.unit.manifests import manifests, of
from tools import build, programs


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    build.build_missing(Console(stderr=True), [programs.named(name) for name in catalogue.PROGRAMS])


@pytest.fixture(scope="session")
def pods() -> Mapping[str, Any]:
    """The pod of each workload that the program declares with production's settings, by the workload's name."""
    objects = manifests(run(production()))
    workloads = [one for kind in ("Deployment", "Job") for one in of(objects, kind)]
    return {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in workloads}
