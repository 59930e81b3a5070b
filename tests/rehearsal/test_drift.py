"""`make drift` reports every manual change and no change by a controller, and changes nothing itself."""

import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml
from hcloud.firewalls import FirewallResource, FirewallRule

from rehearsal.clouds import console
from rehearsal.clouds.account import read_account, write_account
from rehearsal.world.world import World
from tests.rehearsal import console_changes
from tests.rehearsal.cluster import NAMESPACE
from tests.rehearsal.manual_changes import (
    ANY_SOURCE,
    CHANGES,
    PASSWORD,
    REPLACED_LABEL,
    ManualChange,
    changes_without_another_owner,
    only_audited,
)
from tests.rehearsal.operator import ops
from tests.retry import attempts

RECORD = "cloudflare:index/dnsRecord:DnsRecord"
FIREWALL, SERVER = "hcloud:index/firewall:Firewall", "hcloud:index/server:Server"
ANOTHER_RANGE = "198.51.100.0/24"
SECRET_VALUE = "manually-changed-secret"
MANUAL_DAEMONSET = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "manual", "namespace": NAMESPACE},
    "spec": {
        "selector": {"matchLabels": {"app": "manual"}},
        "template": {
            "metadata": {"labels": {"app": "manual"}},
            "spec": {"containers": [{"name": "redis", "image": "redis:7-alpine"}]},
        },
    },
}
IMAGE = "spec.template.spec.containers[worker].image"


@dataclass(frozen=True, kw_only=True)
class DriftCheck:
    """Exit code and output of a drift check, the rows of its table by resource and property, and their causes."""

    exit_code: int
    output: str
    rows: Mapping[tuple[str, str], tuple[str, str]]
    changes: Sequence[ManualChange] = ()


def check_drift(world: World, folder: Path, *more: str) -> DriftCheck:
    file = folder / "drift.md"
    completed = ops(world, "drift", "--stack", "prod", "--markdown", str(file), *more)
    lines = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in file.read_text().splitlines()
        if line[:1] == "|"
    ]
    rows = {(resource, property_): (declared, actual) for resource, property_, declared, actual in lines[2:]}
    return DriftCheck(exit_code=completed.returncode, output=completed.stdout + file.read_text(), rows=rows)


def state(world: World) -> str:
    (file,) = world.layout.backend.rglob("stacks/**/prod.json")
    return file.read_text()


def test_changes_by_controllers_are_no_drift(production: World, tmp_path: Path) -> None:
    production.kubectl("scale", "-n", NAMESPACE, "deployment/api", "--replicas=5")
    production.kubectl("delete", "-n", NAMESPACE, "job", "--all")
    production.kubectl("delete", "-n", NAMESPACE, "pod", "-l", "app.kubernetes.io/name=web", "--wait=false")
    production.kubectl("rollout", "restart", "-n", NAMESPACE, "deployment/web")
    production.kubectl("cordon", "ubuntu-8gb-nbg1-2")
    production.kubectl("drain", "ubuntu-8gb-nbg1-2", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=60s")
    production.kubectl("uncordon", "ubuntu-8gb-nbg1-2")
    clouds = production.layout.clouds
    console.cloudflare_client(clouds).dns.records.create(
        zone_id=console.zone_id(clouds), name="myhoneydue.com", type="TXT", content='"v=spf1 -all"', ttl=1
    )
    before = state(production)
    drift = check_drift(production, tmp_path)
    assert drift.exit_code == 0, drift.output
    assert "No drift of stack prod" in drift.output
    assert "Job::migrate was deleted after it completed" in drift.output
    assert state(production) == before


def open_to_anybody(port: str) -> FirewallRule:
    return FirewallRule(direction="in", protocol="tcp", port=port, source_ips=["0.0.0.0/0"])


def make_manual_changes(world: World) -> Sequence[ManualChange]:
    """Makes all changes at once, as one drift check takes long. Returns those that the provider does not find."""
    clouds = world.layout.clouds
    hetzner, cloudflare, zone = console.hetzner(clouds), console.cloudflare_client(clouds), console.zone_id(clouds)
    server = hetzner.servers.get_by_name("ubuntu-8gb-nbg1-2")
    hetzner.firewalls.create(
        name="console",
        rules=[open_to_anybody("22")],
        resources=[FirewallResource(type=FirewallResource.TYPE_SERVER, server=server)],
    )
    firewall = hetzner.firewalls.get_by_name("honeydue")
    assert firewall is not None
    rules = [rule for rule in firewall.rules or [] if not (rule.description or "").startswith("etcd")]
    for action in firewall.set_rules([*rules, open_to_anybody("5432")]):
        action.wait_until_finished()
    other_server = hetzner.servers.get_by_name("ubuntu-8gb-nbg1-1")
    assert other_server is not None
    other_server.power_off().wait_until_finished()
    console_changes.stop_proxying(clouds)
    cloudflare.dns.records.create(
        zone_id=zone, name="direct.myhoneydue.com", type="A", content="178.104.247.152", proxied=False, ttl=1
    )
    account = read_account(clouds)
    ranges = replace(account.ip_ranges, ipv4_cidrs=[*account.ip_ranges.ipv4_cidrs, ANOTHER_RANGE])
    write_account(clouds, replace(account, ip_ranges=ranges))

    world.kubectl("scale", "-n", NAMESPACE, "deployment/web", "--replicas=1")
    world.kubectl("set", "image", "-n", NAMESPACE, "deployment/worker", f"worker={image('manual')}")
    world.kubectl("delete", "-n", NAMESPACE, "networkpolicy", "redis")
    world.kubectl("create", "configmap", "manual", "-n", NAMESPACE, "--from-literal=a=b")
    world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(MANUAL_DAEMONSET))
    secret_patch = {"stringData": {"SECRET_KEY": SECRET_VALUE}}
    world.kubectl("patch", "-n", NAMESPACE, "secret", "honeydue-secrets", "-p", json.dumps(secret_patch))
    config_patch = {"data": {"DB_HOST": token(world)}}
    world.kubectl("patch", "-n", NAMESPACE, "configmap", "honeydue-config", "-p", json.dumps(config_patch))

    changes = [*CHANGES, *changes_without_another_owner(world)]
    with only_audited(world):
        for change in changes:
            world.kubectl(*change.kubectl, stdin=change.stdin)
    world.kubectl(*REPLACED_LABEL)
    operation = {"op": "add", "path": "/spec/ipAllowList/sourceRange/-", "value": ANY_SOURCE}
    world.kubectl(
        "patch", "-n", NAMESPACE, "middleware", "cloudflare-only", "--type=json", "-p", json.dumps([operation])
    )
    return changes


def image(tag: str) -> str:
    return f"gitea.treytartt.com/admin/honeydue-worker:{tag}"


def token(world: World) -> str:
    return world.pulumi("config", "get", "honeydue:hetznerToken").stdout.strip()


@pytest.fixture(scope="module")
def drifted(production: World, tmp_path_factory: pytest.TempPathFactory) -> DriftCheck:
    changes = make_manual_changes(production)
    console_changes.make_choices(production.layout.clouds)
    console_changes.change_zone(production.layout.clouds)
    before = state(production)
    drift = check_drift(production, tmp_path_factory.mktemp("drift"))
    assert state(production) == before
    return replace(drift, changes=changes)


def test_every_manual_change_is_reported_and_nothing_else(drifted: DriftCheck) -> None:
    assert drifted.exit_code == 2, drifted.output
    nodes = "178.104.247.152/32, 178.104.249.189/32, 178.105.32.198/32"
    undeclared = {
        (change.resource, property_): actual for change in drifted.changes for property_, actual in change.rows.items()
    }
    found = {key: drifted.rows.get(key, ("", "missing row")) for key in undeclared}
    assert {key: actual[: len(undeclared[key])] for key, (_, actual) in found.items()} == undeclared
    # Only who owns the fields is declared, by the provider.
    assert {declared for (_, path), (declared, _) in found.items() if path != "metadata.managedFields"} == {"-"}
    assert {key: row for key, row in drifted.rows.items() if key not in undeclared} == {
        ("DnsRecord::api-hetzner2", "proxied"): ("true", "false"),
        ("A record direct.myhoneydue.com → 178.104.247.152", ""): ("not in the stack", "exists"),
        ("Firewall::honeydue", "rules[etcd between nodes]"): (f"in tcp 2379-2380 from {nodes}", "-"),
        ("Firewall::honeydue", "rules"): ("-", "in tcp 5432 from 0.0.0.0/0"),
        ("Server::hetzner1", "firewallIds"): ("-", drifted.rows["Server::hetzner1", "firewallIds"][1]),
        ("Server::hetzner2", "status"): ("running", "off"),
        # The program uses Cloudflare's ranges in three resources.
        ("Firewall::honeydue", "rules[HTTPS from Cloudflare alone].sourceIps"): (ANOTHER_RANGE, "-"),
        ("HelmChartConfig::traefik", "spec.valuesContent"): (f"- {ANOTHER_RANGE}", "-"),
        ("Middleware::cloudflare-only", "spec.ipAllowList.sourceRange"): (ANOTHER_RANGE, ANY_SOURCE),
        ("Namespace::honeydue", 'metadata.labels["pod-security.kubernetes.io/enforce"]'): ("restricted", "privileged"),
        ("Deployment::web", "spec.replicas"): ("3", "1"),
        ("Deployment::worker", IMAGE): (drifted.rows["Deployment::worker", IMAGE][0], image("manual")),
        ("NetworkPolicy::redis", ""): ("exists", "missing"),
        ("Secret::honeydue-secrets", "data.SECRET_KEY"): ("[secret]", "another value"),
        ("ConfigMap::honeydue-config", "data.DB_HOST"): (
            drifted.rows["ConfigMap::honeydue-config", "data.DB_HOST"][0],
            "[secret]",
        ),
        ("ConfigMap manual", ""): ("not in the stack", "exists"),
        ("DaemonSet manual", ""): ("not in the stack", "exists"),
        **console_changes.KEPT,
        **console_changes.UNDECLARED,
    }
    assert "make up REFRESH=1 keeps them and records them" in drifted.output
    assert "hcloud server poweron ubuntu-8gb-nbg1-1" in drifted.output


def test_no_secret_is_in_the_report(production: World, drifted: DriftCheck) -> None:
    assert SECRET_VALUE not in drifted.output
    assert PASSWORD not in drifted.output
    assert token(production) not in drifted.output


def test_an_up_with_refresh_reverts_the_manual_changes(production: World, drifted: DriftCheck, tmp_path: Path) -> None:
    assert drifted.rows
    production.kubectl("delete", "-n", NAMESPACE, "configmap/manual", "daemonset/manual")
    server = console.hetzner(production.layout.clouds).servers.get_by_name("ubuntu-8gb-nbg1-1")
    assert server is not None
    server.power_on().wait_until_finished()
    cloudflare, zone = console.cloudflare_client(production.layout.clouds), console.zone_id(production.layout.clouds)
    (record,) = (r for r in cloudflare.dns.records.list(zone_id=zone) if r.name == "direct.myhoneydue.com")
    cloudflare.dns.records.delete(record.id, zone_id=zone)
    console_changes.revert_zone(production.layout.clouds)
    completed = ops(production, "up", "--stack", "prod", "--refresh", "--yes")
    assert completed.returncode == 0, completed.stdout
    plan, _, put_back = completed.stdout.partition("Put back, as the program declares it:")
    for change in drifted.changes:
        for property_ in change.rows:
            for output in (plan, put_back):
                assert any(change.resource in line and property_ in line for line in output.splitlines()), change
    assert "Secret::honeydue-secrets" in put_back
    drift = check_drift(production, tmp_path)
    assert drift.exit_code == 0, drift.output
    # The next update that changes these fields has no conflict with another manager.
    policies = production.kubectl_json("get", "networkpolicies", "-n", NAMESPACE, "--show-managed-fields")["items"]
    managers = {entry["manager"] for policy in policies for entry in policy["metadata"]["managedFields"]}
    assert {manager for manager in managers if not manager.startswith("pulumi-kubernetes-")} == set()


@pytest.fixture
def world(production: World) -> Iterator[World]:
    """The world of the module. Restores the settings afterwards."""
    settings = production.layout.config.read_text()
    yield production
    production.layout.config.write_text(settings)


def test_a_refused_token_is_an_error_and_no_drift(world: World, tmp_path: Path) -> None:
    world.pulumi("config", "set", "--secret", "honeydue:cloudflareToken", "expired-token-of-a-test")
    drift = check_drift(world, tmp_path)
    assert drift.exit_code == 1
    assert "Cloudflare rejects the token in honeydue:cloudflareToken (403)" in drift.output
    assert "expired-token-of-a-test" not in drift.output


def test_an_unreachable_api_server_is_an_error_and_no_drift(world: World, tmp_path: Path) -> None:
    kubeconfig = yaml.safe_load(world.layout.kubeconfig.read_text())
    for cluster in kubeconfig["clusters"]:
        cluster["cluster"]["server"] = "https://127.0.0.1:1"
    world.pulumi("config", "set", "--secret", "honeydue:kubeconfig", yaml.safe_dump(kubeconfig))
    drift = check_drift(world, tmp_path)
    assert drift.exit_code == 1
    assert "the API server at https://127.0.0.1:1 cannot be reached" in drift.output


def test_a_running_update_is_an_error_and_no_drift(world: World, tmp_path: Path) -> None:
    world.set_config("honeydue:images.api", "hanging-migration-9")
    update = world.start_pulumi("up", "--yes", "--skip-preview")
    for attempt in attempts(seconds=60):
        with attempt:
            assert any("migrate" in operation["resource"]["urn"] for operation in pending_operations(world))
    drift = check_drift(world, tmp_path)
    update.send_signal(signal.SIGINT)
    update.communicate(timeout=120)
    assert drift.exit_code == 1
    assert "Wait until the running update completes" in drift.output


def pending_operations(world: World) -> list[Mapping[str, Mapping[str, str]]]:
    operations: list[Mapping[str, Mapping[str, str]]] = (
        json.loads(state(world))["checkpoint"]["latest"].get("pending_operations") or []
    )
    return operations
