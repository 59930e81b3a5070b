"""A server that Hetzner does not offer is refused in the preview, before anything that it depends on has changed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.machines.creation import CREATION_HOOK, NotOfferedError, check_offered
from infra.names import DELETION_HOOK
from tests.unit.capture import Capture
from tests.unit.clouds.api import HETZNER_TOKEN, Api, account, served
from tests.unit.clouds.hetzner.requests import create_server

OFFERED = {"name": "server-4", "serverType": "cx33", "location": "nbg1", "image": "ubuntu-24.04"}


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The simulated API, which is served where the hook looks for it."""
    account(tmp_path)
    with served(tmp_path) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield Api("hetzner", tmp_path)


def test_every_server_has_both_hooks(program: Capture) -> None:
    for server in program.resources("Server"):
        assert list(server.request.hooks.before_create) == [CREATION_HOOK]
        assert list(server.request.hooks.before_delete) == [DELETION_HOOK]


@pytest.mark.usefixtures("api")
def test_a_server_that_hetzner_offers() -> None:
    check_offered("hetzner4", OFFERED, HETZNER_TOKEN)


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"serverType": "cx99"}, "there is no server type cx99"),
        ({"location": "mars1"}, "there is no location mars1"),
        ({"image": "ubuntu-4.10"}, "there is no image ubuntu-4.10"),
    ],
)
def test_a_server_that_hetzner_does_not_offer(changed: dict[str, str], problem: str) -> None:
    with pytest.raises(
        NotOfferedError, match=rf"server hetzner4 cannot be created: {problem}.*\(honeydue:nodes.hetzner4\)"
    ):
        check_offered("hetzner4", OFFERED | changed, HETZNER_TOKEN)


def test_a_server_that_exists_is_not_checked(api: Api) -> None:
    create_server(api, "server-4")
    check_offered("hetzner4", OFFERED | {"serverType": "cx11"}, HETZNER_TOKEN)


@pytest.mark.usefixtures("api")
def test_a_token_that_hetzner_rejects() -> None:
    with pytest.raises(NotOfferedError, match="Hetzner's API returned an error"):
        check_offered("hetzner4", OFFERED, "another token")
