from collections.abc import Sequence

import pytest

from tests.unit.capture import example_settings, production_settings, run
from tests.unit.manifests import Object, manifests


@pytest.fixture(scope="session")
def example() -> Sequence[Object]:
    """The manifests of the tests' own settings."""
    return manifests(run(example_settings()))


@pytest.fixture(scope="session", params=["production", "example"])
def objects(request: pytest.FixtureRequest) -> Sequence[Object]:
    """Both: a promise is kept by the one and by the other."""
    found: Sequence[Object] = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def production() -> Sequence[Object]:
    """Production's manifests, whatever its settings hold."""
    return manifests(run(production_settings()))
