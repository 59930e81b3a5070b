"""Servers and primary IPs of the simulated hcloud plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.clouds.api import Api, account, edit, state
from tests.unit.plugins.engine import Engine, Inputs, ProviderError, secret, without_defaults
from tests.unit.plugins.hcloud.resources import (
    FIREWALL,
    PRIMARY_IP,
    RULE,
    SERVER,
    USER_DATA,
    create_primary_ip,
    create_server,
)


def test_a_server_is_created_refreshed_changed_and_deleted(hcloud: Engine, folder: Path) -> None:
    address = create_primary_ip(hcloud)
    firewall = hcloud.create(FIREWALL, {"name": "web", "rules": [RULE]})
    server = create_server(
        hcloud,
        firewallIds=[int(firewall.id)],
        publicNets=[{"ipv4Enabled": True, "ipv4": int(address.id), "ipv6Enabled": True}],
        userData=secret(USER_DATA),
    )
    assert server.id.isdigit()
    assert server.outputs["ipv4Address"] == "178.104.247.152"
    assert server.outputs["ipv6Address"].startswith("2001:db8:")
    assert server.outputs["status"] == "running"
    assert server.outputs["firewallIds"] == [int(firewall.id)]

    # A refresh without a change returns the same inputs and outputs.
    refreshed = hcloud.read(server)
    assert refreshed is not None
    assert refreshed.inputs == without_defaults(server.inputs)
    assert refreshed.outputs == server.outputs

    renamed = hcloud.update(server, {**server.inputs, "labels": {"cluster": "honeydue"}})
    assert renamed.outputs["labels"] == {"cluster": "honeydue"}
    assert renamed.outputs["ipv4Address"] == "178.104.247.152"

    hcloud.delete(renamed)
    assert hcloud.read(renamed) is None
    # The real plugin also fails. The engine only deletes resources in its state.
    with pytest.raises(ProviderError, match=r"not found \(not_found\)"):
        hcloud.delete(renamed)
    # The primary IP is not deleted with the server, and is unassigned.
    assert state(folder, "hetzner").of("primary_ips")[address.id]["assignee_id"] is None


def test_user_data_is_stored_as_a_secret_hash(hcloud: Engine, folder: Path) -> None:
    server = create_server(hcloud, userData=secret(USER_DATA))
    # The real plugin also stores a hash. It is secret, because the hash of a short secret can be guessed.
    assert server.outputs["userData"] == secret("OPsFKt2+Be5mp/OuEhNlk7vZQEw=")
    assert "topsecret" not in (folder / "hetzner.json").read_text()


def test_addresses_come_from_the_account_or_the_documentation_range(hcloud: Engine) -> None:
    assert create_primary_ip(hcloud).outputs["ipAddress"] == "178.104.247.152"
    assert create_primary_ip(hcloud, "other").outputs["ipAddress"].startswith("203.0.113.")
    ipv6 = hcloud.create(PRIMARY_IP, {"name": "six", "type": "ipv6", "location": "nbg1"})
    assert ipv6.outputs["ipNetwork"].startswith("2001:db8:")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"name": "A_b!"}, "hostname"),
        ({"serverType": "cx1"}, "server type cx1 not found"),
        ({"image": "windows"}, "image windows for architecture x86 not found"),
        ({"location": "mars1"}, "mars1"),
        ({"firewallIds": [99]}, "firewall with ID '99' not found"),
        ({"sshKeys": ["nobody"]}, "SSH key not found: nobody"),
        ({"publicNets": [{"ipv4": 99}]}, "primary IP with ID '99' not found"),
        ({"placementGroupId": 99}, "placement group not found: 99"),
        ({"deleteProtection": True}, "both be on"),
    ],
)
def test_an_invalid_server_is_refused(hcloud: Engine, inputs: Inputs, message: str) -> None:
    with pytest.raises(ProviderError, match=message):
        create_server(hcloud, **inputs)
    assert create_server(hcloud, name="valid").id


def test_names_are_unique(hcloud: Engine) -> None:
    create_primary_ip(hcloud)
    with pytest.raises(ProviderError, match=r"\(uniqueness_error\)"):
        create_primary_ip(hcloud)


def test_an_assigned_address_is_refused(hcloud: Engine) -> None:
    nets = [{"ipv4": int(create_primary_ip(hcloud).id)}]
    create_server(hcloud, publicNets=nets)
    with pytest.raises(ProviderError, match="already assigned"):
        create_server(hcloud, name="second", publicNets=nets)


def test_a_server_without_a_primary_ip_gets_the_address_of_its_name(tmp_path: Path) -> None:
    account(tmp_path, addresses={"ubuntu-1": "178.104.247.152"})
    hcloud = Engine("hcloud", tmp_path)
    server = create_server(hcloud)
    assert server.outputs["ipv4Address"] == "178.104.247.152"
    names = [address["name"] for address in state(tmp_path, "hetzner").of("primary_ips").values()]
    assert len(names) == 2
    assert all(name.removeprefix("primary_ip-").isdigit() for name in names)
    assert create_primary_ip(hcloud, name="hetzner1-ipv4").outputs["ipAddress"].startswith("203.0.113.")


@pytest.mark.parametrize(("protected", "message"), [(False, "not found"), (True, "protected")])
def test_assigning_the_automatic_address_of_the_server_deletes_it_first(
    hcloud: Engine, folder: Path, protected: bool, message: str
) -> None:
    server = create_server(hcloud)
    (automatic,) = (
        key for key, address in state(folder, "hetzner").of("primary_ips").items() if address["type"] == "ipv4"
    )
    edit(folder, "hetzner", "primary_ips", automatic, lambda resource: resource["protection"].update(delete=protected))
    with pytest.raises(ProviderError, match=message):
        hcloud.update(
            server,
            {**server.inputs, "publicNets": [{"ipv4Enabled": True, "ipv4": int(automatic), "ipv6Enabled": True}]},
        )


def test_a_server_changes_its_primary_ip(hcloud: Engine, folder: Path) -> None:
    first, second = create_primary_ip(hcloud), create_primary_ip(hcloud, name="other")
    server = create_server(hcloud, publicNets=[{"ipv4": int(first.id)}])
    changed = hcloud.update(server, {**server.inputs, "publicNets": [{"ipv4": int(second.id)}]})
    assert changed.outputs["ipv4Address"] == second.outputs["ipAddress"]
    assert state(folder, "hetzner").of("primary_ips")[first.id]["assignee_id"] is None


@pytest.mark.parametrize("manual", [False, True])
def test_a_deletion_does_not_remove_the_protection(hcloud: Engine, folder: Path, manual: bool) -> None:
    protected = {} if manual else {"deleteProtection": True, "rebuildProtection": True}
    server = create_server(hcloud, **protected)
    edit(
        folder,
        "hetzner",
        "servers",
        server.id,
        lambda resource: resource["protection"].update(delete=True, rebuild=True),
    )
    with pytest.raises(ProviderError, match=r"server deletion is protected \(protected\)"):
        hcloud.delete(server)
    address = create_primary_ip(hcloud, deleteProtection=not manual)
    edit(folder, "hetzner", "primary_ips", address.id, lambda resource: resource["protection"].update(delete=True))
    with pytest.raises(ProviderError, match=r"\(protected\)"):
        hcloud.delete(address)


def test_an_import_lacks_the_inputs_that_the_plugin_does_not_read(hcloud: Engine, folder: Path) -> None:
    api = Api("hetzner", folder)
    body = {"name": "ubuntu-1", "server_type": "cx33", "image": "ubuntu-24.04", "location": "nbg1"}
    server = api("POST", "/servers", {**body, "user_data": USER_DATA}).json["server"]
    address = server["public_net"]["ipv4"]["id"]
    inputs = {"name": "ubuntu-1", "serverType": "cx33", "image": "ubuntu-24.04", "location": "nbg1"}
    imported = hcloud.import_(SERVER, str(server["id"]))
    assert imported is not None
    assert not {"userData", "publicNets", "sshKeys", "keepDisk"} & imported.inputs.keys()
    assert not hcloud.reasons(SERVER, imported.inputs)
    defaults = ["ignoreRemoteFirewallIds", "keepDisk", "shutdownBeforeDeletion"]
    assert list(hcloud.diff(imported, inputs).diffs) == defaults
    assert list(hcloud.diff(imported, {**inputs, "userData": USER_DATA}).replaces) == ["userData"]
    nets = [{"ipv4Enabled": True, "ipv4": address, "ipv6Enabled": True}]
    assert list(hcloud.diff(imported, {**inputs, "publicNets": nets}).diffs) == sorted([*defaults, "publicNets"])
    imported_address = hcloud.import_(PRIMARY_IP, str(address))
    assert imported_address is not None
    # The real plugin also imports both. The engine warns about it, and imports the address.
    assert (imported_address.inputs["location"], imported_address.inputs["assigneeId"]) == ("nbg1", server["id"])
    (reason,) = hcloud.reasons(PRIMARY_IP, imported_address.inputs)
    assert reason.startswith("Invalid Attribute Combination")


def test_an_import_of_an_unknown_id_returns_nothing(hcloud: Engine) -> None:
    assert hcloud.import_(SERVER, "4711") is None


def test_a_server_with_a_fixed_name_is_deleted_before_its_replacement(hcloud: Engine) -> None:
    server = create_server(hcloud)
    another_image = {**server.inputs, "image": "ubuntu-22.04"}
    assert hcloud.diff(server, another_image).deleteBeforeReplace
    assert hcloud.diff(server, {**another_image, "name": "b"}).deleteBeforeReplace
    del another_image["name"]
    assert not hcloud.diff(server, another_image).deleteBeforeReplace
