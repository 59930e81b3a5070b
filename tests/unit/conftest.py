"""The programs that most tests look at, each run once."""

from pathlib import Path

import pytest

from tests.recipes import checkout_with
from tests.unit.capture import Capture, completed, equipped_settings, example_settings, production_settings, run
from tools import checksums


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """Of a cluster that is founded here, as docs/architecture.md says it is done."""
    folder = checkout_with("Bootstrap a new cluster", tmp_path_factory.mktemp("founded"))
    return run(completed(folder / "Pulumi.prod.yaml"))


@pytest.fixture(scope="session")
def production() -> Capture:
    """Of production's own settings, whatever they hold."""
    return run(production_settings())


@pytest.fixture(scope="session")
def example() -> Capture:
    """Of the settings of the tests."""
    return run(example_settings())


@pytest.fixture(scope="session")
def equipped() -> Capture:
    """Of the settings of the tests, with all that they leave out."""
    return run(equipped_settings())


@pytest.fixture(scope="session", params=["production", "founded", "equipped"])
def program(request: pytest.FixtureRequest) -> Capture:
    """Each of them: a promise is kept by all."""
    captured: Capture = request.getfixturevalue(request.param)
    return captured


@pytest.fixture
def checksum_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of recorded checksums. It is empty at first."""
    file = tmp_path / "releases.sha256"
    file.write_text("# none\n")
    monkeypatch.setattr(checksums, "RECORDS", file)
    return file
