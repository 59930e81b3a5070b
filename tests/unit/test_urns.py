"""No resource of an existing stack changes its identity: each recorded URN is registered, or is an alias of a resource.

The engine deletes and creates a resource again when its URN changes without an alias. The lists were recorded from the
program before its components were renamed: urns-existing-cluster.txt is the state of a stack that the engine applied, the
others are registrations. A new resource needs no new list. A resource that is removed on purpose is removed from them.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.engine.placeholders import ADMIN_USERS
from tests.unit.capture import Capture, equipped_settings, example_settings, run

RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture(scope="module")
def every_setting() -> Capture:
    return run({**equipped_settings(), "honeydue:adminBasicAuth": ADMIN_USERS})


@pytest.fixture(scope="module")
def existing_cluster() -> Capture:
    """The rehearsal has an SSH key of its own."""
    keys = example_settings()["honeydue:sshKeys"]
    assert isinstance(keys, dict)
    return run({**example_settings(), "honeydue:sshKeys": {"rehearsal": keys["operator"]}})


def identities(program: Capture) -> Iterator[str]:
    """URNs and aliases of all registrations, as the engine writes them: without the stack as the parent."""
    for registration in program.registrations:
        for urn in (registration.urn, *registration.request.aliasURNs):
            yield urn.replace("urn:pulumi:stack::project::", "urn:pulumi:prod::honeydue::").replace(
                "pulumi:pulumi:Stack$", ""
            )


@pytest.mark.parametrize(
    ("fixture", "file"),
    [
        ("existing_cluster", "urns-existing-cluster.txt"),
        ("every_setting", "urns-every-setting.txt"),
        ("founded", "urns-bootstrapped-cluster.txt"),
    ],
)
def test_every_recorded_resource_keeps_its_identity(request: pytest.FixtureRequest, fixture: str, file: str) -> None:
    recorded = set((RECORDED / file).read_text().splitlines())
    assert recorded
    assert recorded - set(identities(request.getfixturevalue(fixture))) == set()
