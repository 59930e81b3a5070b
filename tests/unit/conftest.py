"""Fixtures: runs of the program that several modules use. Each run is made once per session."""

from pathlib import Path

import pytest

from tests.recipes import checkout_with
from tests.unit.capture import Capture, example_settings, full_settings, production_settings, run, with_placeholders
from tools import checksums


@pytest.fixture(scope="session")
def bootstrapped(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """A run with the settings of a new cluster, made by the recipe of docs/architecture.md."""
    folder = checkout_with("Bootstrap a new cluster", tmp_path_factory.mktemp("bootstrapped"))
    return run(with_placeholders(folder / "Pulumi.prod.yaml"))


@pytest.fixture(scope="session")
def production() -> Capture:
    """A run with the settings of production."""
    return run(production_settings())


@pytest.fixture(scope="session")
def example() -> Capture:
    """A run with the example settings."""
    return run(example_settings())


@pytest.fixture(scope="session")
def full_example() -> Capture:
    """A run with the example settings and all optional settings."""
    return run(full_settings())


@pytest.fixture(scope="session", params=["production", "bootstrapped", "full_example"])
def program(request: pytest.FixtureRequest) -> Capture:
    """Each of these runs, for tests of invariants."""
    captured: Capture = request.getfixturevalue(request.param)
    return captured


@pytest.fixture
def checksum_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of recorded checksums. It is empty at first."""
    file = tmp_path / "releases.sha256"
    file.write_text("# none\n")
    monkeypatch.setattr(checksums, "RECORDS", file)
    return file
