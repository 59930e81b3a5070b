"""No resource of an existing stack changes its identity: each recorded URN is registered, or is an alias of a resource.

The engine deletes and creates a resource again when its URN changes without an alias. The lists were recorded from the
program before its components were renamed: urns-existing-cluster.txt is the state of a stack that the engine applied,
the others are registrations. A new resource needs no new list. Remove a resource from the lists if it is deleted
intentionally.
"""

from pathlib import Path

import pytest

from tests.unit.capture import Capture, example_settings, full_settings, run

RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture(scope="module")
def every_setting() -> Capture:
    return run(full_settings())


@pytest.fixture(scope="module")
def existing_cluster() -> Capture:
    """A run with the SSH key that the rehearsal uses."""
    keys = example_settings()["honeydue:sshKeys"]
    assert isinstance(keys, dict)
    return run({**example_settings(), "honeydue:sshKeys": {"rehearsal": keys["operator"]}})


def identities(program: Capture) -> set[str]:
    """URNs and aliases of all registrations, computed like the engine: children inherit the aliases of their parent."""
    prefixes: dict[str, set[str]] = {}
    result = set()
    for registration in program.registrations:
        request = registration.request
        inherited = prefixes.get(request.parent, {""})
        names = {(prefix, request.type, request.name) for prefix in inherited}
        for alias in request.aliases:
            assert alias.WhichOneof("alias") == "spec", "no alias is a URN yet"
            for prefix in {""} if alias.spec.noParent else inherited:
                names.add((prefix, alias.spec.type or request.type, alias.spec.name or request.name))
        prefixes[registration.urn] = {f"{prefix}{kind}$" for prefix, kind, _ in names}
        result |= {f"urn:pulumi:prod::honeydue::{prefix}{kind}::{name}" for prefix, kind, name in names}
    return result


@pytest.mark.parametrize(
    ("fixture", "file"),
    [
        ("existing_cluster", "urns-existing-cluster.txt"),
        ("every_setting", "urns-every-setting.txt"),
        ("bootstrapped", "urns-bootstrapped-cluster.txt"),
    ],
)
def test_every_recorded_resource_keeps_its_identity(request: pytest.FixtureRequest, fixture: str, file: str) -> None:
    recorded = set((RECORDED / file).read_text().splitlines())
    assert recorded
    assert recorded - identities(request.getfixturevalue(fixture)) == set()
