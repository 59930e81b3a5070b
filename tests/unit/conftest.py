import pytest

from tests.unit.capture import Capture, production, run


@pytest.fixture(scope="session")
def program() -> Capture:
    """Production, declared once for the whole session."""
    return run(production())
