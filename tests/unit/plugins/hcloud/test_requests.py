"""The simulated hcloud plugin sends the requests that the real plugin sent (`tests/recorded_requests/`)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.rehearsal.recordings import RECORDED
from tests.unit.clouds.api import Api, account, requests, state
from tests.unit.clouds.hetzner.requests import run_action
from tests.unit.plugins.engine import Engine, Inputs, ProviderError, Resource, secret

FIREWALL: Final = "hcloud:index/firewall:Firewall"
PLACEMENT_GROUP: Final = "hcloud:index/placementGroup:PlacementGroup"
PRIMARY_IP: Final = "hcloud:index/primaryIp:PrimaryIp"
SERVER: Final = "hcloud:index/server:Server"
SSH_KEY: Final = "hcloud:index/sshKey:SshKey"
KEYS: Final = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAII8wD1qgf9HH+Y4YiLUbtxNu3lP6XXur4ZT7Am0RODwn ops@example",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIAKa4NnyUiXZyT7spM1u0dlLrBFVXAcY7mDzBPYhPOO ops@example",
)

LABELS: Final = {"cluster": "honeydue"}
PROTECTION: Final = {"deleteProtection": True, "rebuildProtection": True}
KINDS: Final = {
    "servers": "server",
    "primary_ips": "primary_ip",
    "ssh_keys": "ssh_key",
    "firewalls": "firewall",
    "placement_groups": "placement_group",
}


@pytest.fixture
def hcloud(tmp_path: Path) -> Engine:
    account(tmp_path)
    return Engine("hcloud", tmp_path)


def recorded(scenario: str) -> list[Inputs]:
    """The recorded requests to Hetzner in a scenario, in their order."""
    lines = (RECORDED / f"{scenario}.jsonl").read_text().splitlines()
    return [request for request in map(json.loads, lines) if request.pop("vendor") == "hetzner"]


def recorded_for(scenario: str, placeholder: str) -> list[Inputs]:
    """The recorded requests about an object, such as `<id:ssh_key:rehearsal>`, after its creation."""
    return [request for request in recorded(scenario) if placeholder in request["path"]]


def creation(scenario: str, path: str) -> Inputs:
    """The first recorded request that creates an object at this path."""
    return next(item for item in recorded(scenario) if (item["method"], item["path"]) == ("POST", f"/v1/{path}"))


def sent(folder: Path, operation: Callable[[], object]) -> list[Inputs]:
    """The requests of an operation with placeholders for ids, without the polls of actions."""
    before = len(requests(folder)) if (folder / "requests.jsonl").exists() else 0
    operation()
    names = {
        int(id_): f"<id:{kind}:{item['name']}>"
        for collection, kind in KINDS.items()
        for id_, item in state(folder, "hetzner").of(collection).items()
    }
    return [
        {**_with_placeholders(request, names), "vendor": None}
        for request in requests(folder)[before:]
        if request["path"] != "/v1/actions"
    ]


def _with_placeholders(value: Any, names: Mapping[int, str]) -> Any:
    if isinstance(value, dict):
        return {name: _with_placeholders(item, names) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_placeholders(item, names) for item in value]
    if isinstance(value, str):
        return re.sub(r"(?<=/)\d+", lambda match: names.get(int(match[0]), match[0]), value)
    return names.get(value, value) if isinstance(value, int) and not isinstance(value, bool) else value


def matches(actual: list[Inputs], expected: list[Inputs]) -> bool:
    """Whether the requests equal the recorded ones, which have no vendor."""
    return actual == [{**request, "vendor": None} for request in expected]


def declared_rules(request: Inputs) -> list[Inputs]:
    """The rules of a recorded request as a program declares them; their order has no meaning."""
    names = {"source_ips": "sourceIps"}
    declared = [{names.get(name, name): value for name, value in rule.items()} for rule in request["body"]["rules"]]
    return [{**rule, "sourceIps": sorted(rule["sourceIps"])} for rule in reversed(declared)]


def create_primary_ip(hcloud: Engine, name: str) -> Resource:
    inputs = {"name": name, "type": "ipv4", "location": "nbg1", "labels": LABELS, "deleteProtection": True}
    return hcloud.create(PRIMARY_IP, inputs)


def test_a_primary_ip_is_created(hcloud: Engine, tmp_path: Path) -> None:
    actual = sent(tmp_path, lambda: create_primary_ip(hcloud, "hetzner1-ipv4"))
    expected = [
        next(item for item in recorded("fresh-up") if (item["body"] or {}).get("name") == "hetzner1-ipv4"),
        *recorded_for("fresh-up", "<id:primary_ip:hetzner1-ipv4>"),
    ]
    assert matches(actual, expected)


def test_a_key_a_group_and_a_firewall_are_created(hcloud: Engine, tmp_path: Path) -> None:
    key = sent(tmp_path, lambda: hcloud.create(SSH_KEY, {"name": "rehearsal", "publicKey": KEYS[0], "labels": LABELS}))
    assert matches(key, [creation("fresh-up", "ssh_keys")])
    group = sent(
        tmp_path, lambda: hcloud.create(PLACEMENT_GROUP, {"name": "honeydue", "type": "spread", "labels": LABELS})
    )
    # Later requests for the group are lookups of the servers.
    placeholder = "<id:placement_group:honeydue>"
    assert matches(group, [creation("fresh-up", "placement_groups"), recorded_for("fresh-up", placeholder)[0]])
    body = creation("fresh-up", "firewalls")
    declared = declared_rules(body)
    firewall = sent(
        tmp_path, lambda: hcloud.create(FIREWALL, {"name": "honeydue", "labels": LABELS, "rules": declared})
    )
    assert matches(firewall, [body, *recorded_for("fresh-up", "<id:firewall:honeydue>")])


def test_a_node_is_added(hcloud: Engine, tmp_path: Path) -> None:
    key = hcloud.create(SSH_KEY, {"name": "rehearsal", "publicKey": KEYS[0], "labels": LABELS})
    group = hcloud.create(PLACEMENT_GROUP, {"name": "honeydue", "type": "spread", "labels": LABELS})
    firewall = hcloud.create(
        FIREWALL, {"name": "honeydue", "labels": LABELS, "rules": declared_rules(creation("fresh-up", "firewalls"))}
    )
    expected = recorded("node-added")[:13]
    changed = next(request for request in expected if request["path"].endswith("set_rules"))

    def operation() -> None:
        address = create_primary_ip(hcloud, "hetzner4-ipv4")
        hcloud.update(firewall, {**firewall.inputs, "rules": declared_rules(changed)})
        hcloud.create(
            SERVER,
            {
                "name": "ubuntu-8gb-nbg1-4",
                "serverType": "cx33",
                "keepDisk": True,
                "image": "ubuntu-24.04",
                "location": "nbg1",
                "publicNets": [{"ipv4Enabled": True, "ipv4": int(address.id), "ipv6Enabled": True}],
                "firewallIds": [int(firewall.id)],
                "sshKeys": [key.id],
                "placementGroupId": int(group.id),
                "userData": secret("#cloud-config\n"),
                "labels": LABELS,
                **PROTECTION,
            },
        )

    assert matches(sent(tmp_path, operation), expected)


def test_existing_resources_are_imported_and_updated(hcloud: Engine, tmp_path: Path) -> None:
    account(tmp_path, addresses={"ubuntu-8gb-nbg1-2": "178.104.247.152"})
    api = Api("hetzner", tmp_path)
    api("POST", "/ssh_keys", {"name": "rehearsal@workstation", "public_key": KEYS[0]})
    body = {"name": "ubuntu-8gb-nbg1-2", "server_type": "cx33", "image": "ubuntu-24.04", "location": "nbg1"}
    server = api("POST", "/servers", {**body, "ssh_keys": ["rehearsal@workstation"]}).json
    for action in (server["action"], *server["next_actions"]):
        api("GET", f"/actions/{action['id']}")
    address = server["server"]["public_net"]["ipv4"]["id"]
    api("PUT", f"/primary_ips/{address}", {"name": "primary_ip-178.104.247.152"})
    firewall = hcloud.create(FIREWALL, {"name": "honeydue", "labels": LABELS, "rules": []})

    def import_and_update(type_: str, id_: object, changes: Inputs) -> list[Inputs]:
        """The requests of an import and of the update that follows, under the names before the update."""
        resources: list[Resource] = []
        imported = sent(tmp_path, lambda: resources.append(_imported(hcloud, type_, str(id_))))
        (resource,) = resources
        updated = sent(tmp_path, lambda: hcloud.update(resource, {**resource.inputs, **changes}))
        return [*imported, *updated]

    key = import_and_update(SSH_KEY, 1001, {"name": "rehearsal"})
    expected = recorded_for("adoption", "<id:ssh_key:rehearsal@workstation>")
    assert matches(_renamed(key, "ssh_key:rehearsal", "ssh_key:rehearsal@workstation"), expected)

    protected = {"name": "hetzner1-ipv4", "deleteProtection": True, "autoDelete": False}
    actual = import_and_update(PRIMARY_IP, address, protected)
    expected = recorded_for("adoption", "<id:primary_ip:primary_ip-178.104.247.152>")
    assert matches(_renamed(actual, "primary_ip:hetzner1-ipv4", "primary_ip:primary_ip-178.104.247.152"), expected)

    changes = {"firewallIds": [int(firewall.id)], "keepDisk": True, **PROTECTION}
    actual = import_and_update(SERVER, server["server"]["id"], changes)
    placeholder = "<id:server:ubuntu-8gb-nbg1-2>"
    expected = [
        request
        for request in recorded("adoption")
        if placeholder in request["path"] or placeholder in json.dumps(request["body"])
    ]
    assert matches(actual, expected)


def _imported(hcloud: Engine, type_: str, id_: str) -> Resource:
    imported = hcloud.import_(type_, id_)
    assert imported is not None
    return imported


def _renamed(requests_: list[Inputs], name: str, other: str) -> list[Inputs]:
    return [{**request, "path": request["path"].replace(f"<id:{name}>", f"<id:{other}>")} for request in requests_]


def test_a_manual_change_of_a_rule_is_reverted(hcloud: Engine, tmp_path: Path) -> None:
    declared = declared_rules(creation("fresh-up", "firewalls"))
    firewall = hcloud.create(FIREWALL, {"name": "honeydue", "labels": LABELS, "rules": declared})
    manual_rule = {"direction": "in", "protocol": "tcp", "port": "5432", "source_ips": ["0.0.0.0/0"]}
    Api("hetzner", tmp_path)("POST", f"/firewalls/{firewall.id}/actions/set_rules", {"rules": [manual_rule]})
    refreshed = hcloud.read(firewall)
    assert refreshed is not None
    actual = sent(tmp_path, lambda: hcloud.update(refreshed, firewall.inputs))
    # The scenario also reads the firewall earlier, for the drift table and for the refresh.
    assert matches(actual, recorded_for("firewall-rule-changed-by-hand", "<id:firewall:honeydue>")[-3:])


def test_a_server_is_deleted_after_the_program_lifted_its_protection(hcloud: Engine, tmp_path: Path) -> None:
    server = hcloud.create(
        SERVER, {"name": "ubuntu-8gb-nbg1-4", "serverType": "cx33", "image": "ubuntu-24.04", **PROTECTION}
    )
    with pytest.raises(ProviderError, match=r"server deletion is protected \(protected\)"):
        hcloud.delete(server)
    run_action(
        Api("hetzner", tmp_path), f"/servers/{server.id}/actions/change_protection", {"delete": False, "rebuild": False}
    )
    actual = sent(tmp_path, lambda: hcloud.delete(server))
    assert [(request["method"], request["status"]) for request in actual] == [("DELETE", 200)]
    (expected,) = (
        request
        for request in recorded("node-removed-confirmed")
        if request["method"] == "DELETE" and "/servers/" in request["path"]
    )
    assert expected["status"] == 200
    *_, last = recorded_for("node-removed-confirmed", "<id:server:ubuntu-8gb-nbg1-4>")
    assert last == expected


def test_a_second_key_with_the_same_name_is_refused(hcloud: Engine) -> None:
    inputs = {"name": "rehearsal", "publicKey": KEYS[0], "labels": LABELS}
    key = hcloud.create(SSH_KEY, inputs)
    rotated = {**inputs, "publicKey": KEYS[1]}
    # Therefore the program deletes the old key first: the plugin does not ask the engine to.
    assert not hcloud.diff(key, rotated).deleteBeforeReplace
    with pytest.raises(ProviderError) as raised:
        hcloud.create(SSH_KEY, rotated)
    assert str(raised.value) == (
        "API request failed: An unexpected error was encountered during an API request.\n\n"
        "ssh key name is already used (uniqueness_error)\n\n"
        "Error code: uniqueness_error\nStatus code: 409\n"
    )


def test_a_key_is_rotated_under_its_name(hcloud: Engine, tmp_path: Path) -> None:
    inputs = {"name": "rehearsal", "publicKey": KEYS[0], "labels": LABELS}
    key = hcloud.create(SSH_KEY, inputs)

    def operation() -> None:
        hcloud.delete(key)
        hcloud.create(SSH_KEY, {**inputs, "publicKey": KEYS[1]})

    # The deleted key has no placeholder any more.
    expected = [
        {**request, "path": request["path"].replace("<id:ssh_key:rehearsal>", key.id)}
        for request in recorded("ssh-key-rotated")
    ]
    assert matches(sent(tmp_path, operation), expected)


@pytest.mark.parametrize("scenario", ["drift-unchanged", "preview-refresh-unchanged"])
def test_a_refresh_reads_each_resource_once(hcloud: Engine, tmp_path: Path, scenario: str) -> None:
    server = hcloud.create(SERVER, {"name": "ubuntu-8gb-nbg1-1", "serverType": "cx33", "image": "ubuntu-24.04"})
    assert matches(sent(tmp_path, lambda: hcloud.read(server)), recorded_for(scenario, "<id:server:ubuntu-8gb-nbg1-1>"))
