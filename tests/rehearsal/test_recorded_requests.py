"""The simulated plugins send the requests that the real plugins sent for the same changes of production's settings."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from rehearsal.clouds import console
from rehearsal.clouds.account import read_account, write_account
from rehearsal.world.world import World
from tests.rehearsal import console_changes
from tests.rehearsal.operator import ops
from tests.rehearsal.recordings import Change, changes, count, placeholders_of, received, recorded

NEW_NODE = "ubuntu-8gb-nbg1-4"
HOSTS = ("api", "admin", "app", "apex")
ROTATED_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIAKa4NnyUiXZyT7spM1u0dlLrBFVXAcY7mDzBPYhPOO ops@example"


class Log:
    """The changes that a world's clouds received since this object was created."""

    def __init__(self, world: World) -> None:
        self._clouds = world.layout.clouds
        self._before = count(self._clouds)
        self._names = placeholders_of(self._clouds)

    @property
    def changes(self) -> Mapping[str, Sequence[Change]]:
        return changes(received(self._clouds, after=self._before, names=self._names))


def _vendor_and_kind(resource: str) -> tuple[str, str]:
    """The first part of a path, and the kind of the resource."""
    parts = resource.strip("/").split("/")
    return parts[0], parts[-2]


def up(world: World, *, allow_delete: Sequence[str] = ()) -> None:
    options = [option for resource in allow_delete for option in ("--allow-delete", resource)]
    completed = ops(world, "up", "--stack", "prod", "--yes", *options)
    assert completed.returncode == 0, completed.stdout


def test_the_first_up(production: World) -> None:
    # The template of this world was applied by one `up`, and the copy has the log of the original.
    assert changes(received(production.layout.clouds)) == changes(recorded("fresh-up"))


@pytest.mark.parametrize("flags", [[], ["--refresh", "--run-program"]])
def test_a_preview_without_changes_sends_none(production: World, flags: Sequence[str]) -> None:
    log = Log(production)
    production.pulumi("preview", "--expect-no-changes", *flags)
    assert log.changes == changes(recorded("second-preview")) == {}


def test_drift_sends_no_changes(production: World) -> None:
    log = Log(production)
    assert ops(production, "drift", "--stack", "prod").returncode == 0
    assert log.changes == changes(recorded("drift-unchanged")) == {}


def test_a_changed_setting_of_the_zone(production: World) -> None:
    log = Log(production)
    production.set_config("honeydue:edge.minTlsVersion", "1.3")
    up(production)
    assert log.changes == changes(recorded("zone-setting-changed"))
    production.set_config("honeydue:edge.minTlsVersion", "1.2")
    up(production)


def test_a_rotated_ssh_key_keeps_its_name_and_replaces_no_server(production: World) -> None:
    log = Log(production)
    production.set_config("honeydue:sshKeys.rehearsal", ROTATED_KEY)
    up(production)
    assert log.changes == changes(recorded("ssh-key-rotated"))


def test_a_record_that_was_changed_manually(production: World) -> None:
    console_changes.stop_proxying(production.layout.clouds)
    log = Log(production)
    production.pulumi("up", "--yes", "--skip-preview", "--refresh", "--run-program")
    assert log.changes == changes(recorded("record-changed-by-hand"))


def test_a_firewall_rule_that_was_changed_manually(production: World) -> None:
    client = console.hetzner(production.layout.clouds)
    firewall = client.firewalls.get_by_name("honeydue")
    assert firewall is not None
    rules = [rule for rule in firewall.rules or [] if rule.port != "8472"]
    for action in client.firewalls.set_rules(firewall, rules):
        action.wait_until_finished()
    log = Log(production)
    production.pulumi("up", "--yes", "--skip-preview", "--refresh", "--run-program")
    assert log.changes == changes(recorded("firewall-rule-changed-by-hand"))


def test_a_node_that_hetzner_does_not_offer_changes_nothing(production: World) -> None:
    log = Log(production)
    production.set_config("honeydue:nodes.hetzner4", {"hostname": NEW_NODE, "serverType": "cx99"})
    production.set_config("honeydue:prices.servers.cx99", 1.0)
    refused = ops(production, "up", "--stack", "prod", "--yes")
    assert refused.returncode == 1
    assert "server hetzner4 cannot be created: there is no server type cx99" in refused.stdout
    assert log.changes == {}
    production.set_config("honeydue:nodes.hetzner4", None)
    production.set_config("honeydue:prices.servers.cx99", None)


def test_a_node_that_was_added(production: World) -> None:
    account = read_account(production.layout.clouds)
    # The address that the new node got when this was recorded.
    write_account(
        production.layout.clouds,
        replace(account, addresses={**account.addresses, "hetzner4-ipv4": "203.0.113.10"}),
    )
    log = Log(production)
    production.set_config("honeydue:nodes.hetzner4", {"hostname": NEW_NODE})
    up(production)
    assert log.changes == changes(recorded("node-added"))
    # Its server exists before the first of its records, and its node serves.
    created = list(log.changes)
    server = created.index(next(resource for resource in created if resource.endswith(f"/servers {NEW_NODE}")))
    records = [place for place, resource in enumerate(created) if resource.endswith(" 203.0.113.10")]
    assert len(records) == len(HOSTS)
    assert server < min(records)
    on_node = f"--field-selector=spec.nodeName={NEW_NODE}"
    (pod,) = production.kubectl_json("get", "pods", "-n", "kube-system", on_node)["items"]
    assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == "traefik"


def test_a_node_that_was_removed(production: World) -> None:
    # The node of the test above.
    log = Log(production)
    production.set_config("honeydue:nodes.hetzner4", None)
    records = [f"DnsRecord::{host}-hetzner4" for host in HOSTS]
    up(production, allow_delete=[*records, "Server::hetzner4", "PrimaryIp::hetzner4"])
    assert log.changes == changes(recorded("node-removed-confirmed"))
    # Its records are deleted before its server, and the firewall changes afterwards.
    order = [(vendor, kind) for vendor, kind in map(_vendor_and_kind, log.changes) if kind != "primary_ips"]
    assert order == [*[("client", "dns_records")] * len(HOSTS), ("v1", "servers"), ("v1", "firewalls")]
    assert NEW_NODE not in production.kubectl("get", "nodes", "--output=name")


def test_a_node_that_was_replaced(production: World) -> None:
    log = Log(production)
    production.set_config("honeydue:replacing", "hetzner3")
    production.pulumi("up", "--yes", "--skip-preview", "--replace", "**:Server::hetzner3")
    production.set_config("honeydue:replacing", None)
    assert log.changes == changes(recorded("node-replaced"))


def test_an_adoption_and_its_first_up(brownfield_world: World) -> None:
    log = Log(brownfield_world)
    brownfield_world.adopt()
    assert log.changes == {}
    up(brownfield_world)
    assert log.changes == changes(recorded("adoption"))
