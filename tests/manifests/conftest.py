from collections.abc import Sequence

import pytest

from tests.unit.capture import production, run
from tests.unit.manifests import Object, manifests


@pytest.fixture(scope="session")
def objects() -> Sequence[Object]:
    """Production's manifests."""
    return manifests(run(production()))
