"""The deletion hook lifts Hetzner's protection of the resource whose deletion is confirmed, and of no other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from infra.machines.deletion import RefusedDeletionError, check_confirmed, prepare, replacement
from infra.names import ALLOW_DELETE, ANY_RESOURCE, DELETION_HOOK
from infra.settings.topology import Node
from tests.unit.capture import Capture
from tests.unit.clouds.api import HETZNER_TOKEN, Api, account, requests, served
from tests.unit.clouds.hetzner.requests import create_primary_ip, create_server, run_action

PRIMARY_IP, SERVER = "hcloud:index/primaryIp:PrimaryIp", "hcloud:index/server:Server"
OFFERED = {"server_type": "cx33", "location": "nbg1", "image": "ubuntu-24.04"}


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The simulated API, which is served where the hook looks for it."""
    account(tmp_path)
    with served(tmp_path) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv(ALLOW_DELETE, raising=False)
        monkeypatch.setattr("infra.hetzner.POLL_SECONDS", 0.01)
        yield Api("hetzner", tmp_path)


def resource(
    kind: str = SERVER, name: str = "hetzner1", *, id_: int = 1, **old_inputs: object
) -> pulumi.ResourceHookArgs:
    return pulumi.ResourceHookArgs(
        urn=f"urn:pulumi:prod::honeydue::{kind}::{name}", id=str(id_), name=name, type=kind, old_inputs=old_inputs
    )


def protected_server(api: Api, name: str = "ubuntu-1") -> int:
    id_: int = create_server(api, name)["id"]
    run_action(api, f"/servers/{id_}/actions/change_protection", {"delete": True, "rebuild": True})
    return id_


def protection(api: Api, path: str) -> object:
    (content,) = api("GET", path).json.values()
    return content["protection"]


def test_every_resource_that_hetzner_protects_has_the_hook(program: Capture) -> None:
    protected = [each for each in program.registrations if each.inputs.get("deleteProtection")]
    assert {each.kind for each in protected} >= {"Server", "PrimaryIp"}
    assert {tuple(each.request.hooks.before_delete) for each in protected} == {(DELETION_HOOK,)}


def test_the_network_has_the_hook(bootstrapped: Capture) -> None:
    assert list(bootstrapped.resource("Network", "honeydue").request.hooks.before_delete) == [DELETION_HOOK]


def test_the_name_of_the_hook_is_the_one_in_the_state_of_existing_stacks() -> None:
    assert DELETION_HOOK == "hetzner-deletion"


@pytest.mark.parametrize(
    ("kind", "confirmed", "how", "allowed"),
    [
        (SERVER, "", {"replacing": None, "preview": False}, False),
        (SERVER, "Server::hetzner1 PrimaryIp::hetzner1", {"replacing": None, "preview": False}, True),
        (SERVER, "PrimaryIp::hetzner1 Server::hetzner10", {"replacing": None, "preview": False}, False),
        (PRIMARY_IP, "Server::hetzner1", {"replacing": None, "preview": False}, False),
        (SERVER, "", {"replacing": "hetzner1", "preview": False}, True),
        (SERVER, "", {"replacing": "hetzner2", "preview": False}, False),
        (PRIMARY_IP, "", {"replacing": "hetzner1", "preview": False}, False),
        # The guard rails check the deletions of a preview.
        (SERVER, ANY_RESOURCE, {"replacing": None, "preview": True}, True),
        (SERVER, ANY_RESOURCE, {"replacing": None, "preview": False}, False),
        (SERVER, "", {"replacing": None, "preview": True}, False),
    ],
)
def test_only_a_confirmed_deletion_is_allowed(
    monkeypatch: pytest.MonkeyPatch, kind: str, confirmed: str, how: Any, allowed: bool
) -> None:
    monkeypatch.setenv(ALLOW_DELETE, confirmed)
    if allowed:
        check_confirmed(resource(kind), **how)
        return
    name = f"{kind.rpartition(':')[2]}::hetzner1"
    with pytest.raises(RefusedDeletionError, match=f'{name} is not confirmed.* ALLOW_DELETE="{name}"'):
        check_confirmed(resource(kind), **how)


def test_the_protection_of_one_resource_is_lifted(api: Api, tmp_path: Path) -> None:
    server, other = protected_server(api), protected_server(api, "ubuntu-2")
    address = create_primary_ip(api)["id"]
    run_action(api, f"/primary_ips/{address}/actions/change_protection", {"delete": True})
    earlier = len(requests(tmp_path))
    prepare(resource(id_=server), None, HETZNER_TOKEN, preview=True)
    prepare(resource(PRIMARY_IP, id_=address), None, HETZNER_TOKEN, preview=True)
    assert {request["method"] for request in requests(tmp_path)[earlier:]} == {"GET"}
    earlier = len(requests(tmp_path))
    prepare(resource(id_=server), None, HETZNER_TOKEN, preview=False)
    prepare(resource(PRIMARY_IP, id_=address), None, HETZNER_TOKEN, preview=False)
    changes = [
        (request["path"], request["body"]) for request in requests(tmp_path)[earlier:] if request["method"] != "GET"
    ]
    assert changes == [
        (f"/v1/servers/{server}/actions/change_protection", {"delete": False, "rebuild": False}),
        (f"/v1/primary_ips/{address}/actions/change_protection", {"delete": False}),
    ]
    assert protection(api, f"/servers/{other}") == {"delete": True, "rebuild": True}
    # After a deletion that failed, and after one that succeeded, it sends no change.
    earlier = len(requests(tmp_path))
    prepare(resource(id_=server), None, HETZNER_TOKEN, preview=False)
    prepare(resource(id_=99), None, HETZNER_TOKEN, preview=False)
    prepare(resource(PRIMARY_IP, id_=99), None, HETZNER_TOKEN, preview=False)
    assert {request["method"] for request in requests(tmp_path)[earlier:]} == {"GET"}


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"server_type": "cx99"}, "there is no server type cx99"),
        ({"location": "muc1"}, "there is no location muc1"),
        ({"location": "ash"}, "server type cx33 is not offered in ash"),
        ({"image": "ubuntu-99.04"}, "there is no image ubuntu-99.04 for x86"),
    ],
)
@pytest.mark.parametrize("preview", [True, False])
def test_a_server_that_cannot_be_created_again_keeps_its_protection(
    api: Api, node: dict[str, str], message: str, preview: bool
) -> None:
    server = protected_server(api)
    with pytest.raises(RefusedDeletionError, match=f"hetzner1 was not deleted: {message}"):
        prepare(resource(id_=server), {**OFFERED, **node}, HETZNER_TOKEN, preview=preview)
    assert protection(api, f"/servers/{server}") == {"delete": True, "rebuild": True}


@pytest.mark.parametrize("image", ["ubuntu-24.04", "161547269"])
def test_a_server_that_can_be_created_again_loses_its_protection(api: Api, image: str) -> None:
    server = protected_server(api)
    prepare(resource(id_=server), {**OFFERED, "image": image}, HETZNER_TOKEN, preview=False)
    assert protection(api, f"/servers/{server}") == {"delete": False, "rebuild": False}


def test_a_replacement_has_the_old_values_of_ignored_properties_unless_the_node_is_being_replaced() -> None:
    old = resource(image="debian-12", location="hel1", serverType="cx23")
    nodes = {"hetzner1": Node.model_validate({"hostname": "ubuntu-1"})}
    assert replacement(old, nodes, replacing=None) == {**OFFERED, "location": "hel1", "image": "debian-12"}
    assert replacement(old, nodes, replacing="hetzner1") == OFFERED
    assert replacement(resource(name="removed"), nodes, replacing="hetzner1") is None
    assert replacement(resource(PRIMARY_IP), nodes, replacing="hetzner1") is None


def test_an_error_of_the_api_is_explained(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    server = protected_server(api)
    with pytest.raises(RefusedDeletionError, match=r"hetzner1 was not deleted: .*unauthorized"):
        prepare(resource(id_=server), None, "another token", preview=False)
    monkeypatch.setenv("HCLOUD_ENDPOINT", "http://127.0.0.1:9/v1")
    with pytest.raises(RefusedDeletionError, match=r"hetzner1 was not deleted: .*refused"):
        prepare(resource(id_=server), None, HETZNER_TOKEN, preview=False)
