"""The programs that most tests look at, each run once."""

import pytest

from infra.cluster import kubeconfig
from tests.recipes import applied
from tests.unit.capture import Capture, completed, everything, production, run


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """Of a cluster that is founded here, as docs/architecture.md says it is done."""
    settings = completed(applied("a cluster", tmp_path_factory.mktemp("founded")) / "Pulumi.prod.yaml")
    with pytest.MonkeyPatch.context() as patch:
        # Under mocks there is nobody to ask; tests/rehearsal asks real API servers.
        patch.setattr(kubeconfig, "first_ready", lambda addresses, _: next(iter(addresses.values())))
        return run(settings)


@pytest.fixture(scope="session")
def shipped() -> Capture:
    """Of production's own settings."""
    return run(production())


@pytest.fixture(scope="session")
def equipped() -> Capture:
    """Of production's own settings, with all that they leave out for now."""
    return run(everything())


@pytest.fixture(scope="session", params=["shipped", "founded", "equipped"])
def program(request: pytest.FixtureRequest) -> Capture:
    """Each of them: a promise is kept by both."""
    captured: Capture = request.getfixturevalue(request.param)
    return captured
