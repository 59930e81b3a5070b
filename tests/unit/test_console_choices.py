"""What was chosen in a vendor's console stays: no update resets a property that the program does not declare."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ops.resource_types import WORKER
from rehearsal.plugins import cloudflare, hcloud
from rehearsal.plugins.kinds import Kind
from rehearsal.plugins.schema import Argument, Package
from tests.unit.capture import Capture, Registration
from tests.unit.clouds.api import Api, account
from tests.unit.clouds.hetzner.requests import create_server, run_action
from tests.unit.plugins.engine import Engine, Inputs

KINDS: Mapping[str, Kind] = {**hcloud.KINDS, **cloudflare.KINDS}
PACKAGES = {name: Package(name) for name in ("hcloud", "cloudflare")}
LABELLED = ("Firewall", "Network", "PlacementGroup", "PrimaryIp", "SshKey")
NOT_USED = {
    # Only for records of the types MX and SRV, and for internal DNS.
    ("DnsRecord", "priority"),
    ("DnsRecord", "privateRouting"),
    # Chooses what a read returns.
    ("DnsRecord", "includeShadowMetadata"),
    # A subnet of the type `vswitch`, which an adoption refuses: it would replace the subnet.
    ("NetworkSubnet", "vswitchId"),
}


def vendor_resources(program: Capture) -> Iterator[Registration]:
    """The resources of both vendors that exist before an adoption. The program alone creates the uptime Worker."""
    return (resource for resource in program.registrations if resource.type in KINDS and resource.type not in WORKER)


def arguments(resource: Registration) -> Mapping[str, Argument]:
    schema = PACKAGES[resource.type.partition(":")[0]].resource(resource.type)
    assert schema is not None
    return schema.arguments


def test_every_optional_property_is_declared_or_ignored_or_stays(program: Capture) -> None:
    reset = {
        (resource.kind, name)
        for resource in vendor_resources(program)
        for name, argument in arguments(resource).items()
        if not argument.required
        and name not in resource.inputs
        and name not in resource.request.ignoreChanges
        # The API chooses the first, and never returns the second.
        and name not in KINDS[resource.type].computed | KINDS[resource.type].write_only
    }
    assert reset <= NOT_USED


def test_labels_of_the_console_stay(program: Capture) -> None:
    for resource in vendor_resources(program):
        if resource.kind in LABELLED and "labels" not in KINDS[resource.type].computed:
            assert "labels" in resource.request.ignoreChanges, resource.urn


def test_only_a_bootstrapped_cluster_declares_the_labels_of_its_servers(
    example: Capture, bootstrapped: Capture
) -> None:
    for capture, ignored in ((example, True), (bootstrapped, False)):
        assert {"labels" in server.request.ignoreChanges for server in capture.resources("Server")} == {ignored}


@pytest.mark.parametrize("alias", ["hetzner1", "hetzner2"])
def test_an_adopted_server_keeps_its_backups(example: Capture, tmp_path: Path, alias: str) -> None:
    account(tmp_path)
    api, plugin = Api("hetzner", tmp_path), Engine("hcloud", tmp_path)
    id_ = create_server(api, labels={"team": "web"}, location="nbg1")["id"]
    run_action(api, f"/servers/{id_}/actions/enable_backup")
    (backup,) = api("GET", f"/images?type=backup&bound_to={id_}").json["images"]
    server = example.resource("Server", alias)

    adopted = plugin.import_(server.type, str(id_))
    assert adopted is not None
    inputs = with_ignored_changes(adopted.inputs, server)
    assert not plugin.diff(adopted, inputs).replaces
    # Its network is no part of this test.
    del inputs["firewallIds"]
    plugin.update(adopted, inputs)

    assert api("GET", f"/images?type=backup&bound_to={id_}").json["images"] == [backup]
    updated = api("GET", f"/servers/{id_}").json["server"]
    assert (updated["backup_window"], updated["labels"]) == ("22-02", {"team": "web"})
    assert updated["protection"] == {"delete": True, "rebuild": True}


def with_ignored_changes(old: Inputs, resource: Registration) -> Inputs:
    """The inputs that the engine sends for an update: ignored properties have their old values."""
    kept = {name: old[name] for name in resource.request.ignoreChanges if name in old}
    declared = {name: value for name, value in resource.inputs.items() if name not in resource.request.ignoreChanges}
    return {**declared, **kept}
