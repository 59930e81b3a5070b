"""Fixtures: the manifests that the program registers."""

from collections.abc import Sequence

import pytest

from tests.unit.capture import example_settings, monitored_settings, production_settings, run
from tests.unit.manifests import Object, manifests


@pytest.fixture(scope="session")
def example() -> Sequence[Object]:
    """The manifests with the example settings."""
    return manifests(run(example_settings()))


@pytest.fixture(scope="session")
def monitored() -> Sequence[Object]:
    """The manifests with the example settings, monitoring and logs."""
    return manifests(run(monitored_settings()))


@pytest.fixture(scope="session", params=["production", "example"])
def objects(request: pytest.FixtureRequest) -> Sequence[Object]:
    """The manifests with the example settings and with those of production: a test runs with each."""
    selected: Sequence[Object] = request.getfixturevalue(request.param)
    return selected


@pytest.fixture(scope="session")
def production() -> Sequence[Object]:
    """The manifests with the settings of production (Pulumi.prod.yaml)."""
    return manifests(run(production_settings()))
