"""Every kind of drift, done by hand behind the program's back, is told; what moves by itself is not; and a look changes nothing."""

import json
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml
from tenacity import Retrying, stop_after_delay, wait_fixed

from rehearsal.clouds.account import read_account, write_account
from rehearsal.clouds.existing import provision
from rehearsal.clouds.store import Store
from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE
from tests.rehearsal.operator import ops

RECORD = "cloudflare:index/dnsRecord:DnsRecord"
FIREWALL, SERVER = "hcloud:index/firewall:Firewall", "hcloud:index/server:Server"
ANOTHER_RANGE = "198.51.100.0/24"
HIDDEN = "put-in-by-hand-and-secret"
BY_HAND = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "by-hand", "namespace": NAMESPACE},
    "spec": {
        "selector": {"matchLabels": {"app": "by-hand"}},
        "template": {
            "metadata": {"labels": {"app": "by-hand"}},
            "spec": {"containers": [{"name": "one", "image": "redis:7-alpine"}]},
        },
    },
}
IMAGE = "spec.template.spec.containers[worker].image"


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look said, and the rows of its table by resource and property."""

    status: int
    said: str
    rows: Mapping[tuple[str, str], tuple[str, str]]


def look(world: World, folder: Path, *more: str) -> Look:
    file = folder / "drift.md"
    done = ops(world, "drift", "--stack", "prod", "--markdown", str(file), *more)
    lines = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in file.read_text().splitlines()
        if line[:1] == "|"
    ]
    rows = {(resource, property_): (declared, found) for resource, property_, declared, found in lines[2:]}
    return Look(status=done.returncode, said=done.stdout + file.read_text(), rows=rows)


def state(world: World) -> str:
    (file,) = world.layout.backend.rglob("stacks/**/prod.json")
    return file.read_text()


def zone(world: World) -> str:
    (id_,) = read_account(world.layout.clouds).zones.values()
    return id_


def test_what_moves_by_itself_is_no_drift(production: World, tmp_path: Path) -> None:
    production.kubectl("scale", "-n", NAMESPACE, "deployment/api", "--replicas=5")
    production.kubectl("delete", "-n", NAMESPACE, "job", "--all")
    production.kubectl("delete", "-n", NAMESPACE, "pod", "-l", "app.kubernetes.io/name=web", "--wait=false")
    provision(
        production.layout.clouds,
        RECORD,
        {"zoneId": zone(production), "name": "myhoneydue.com", "type": "TXT", "content": '"v=spf1 -all"', "ttl": 1},
    )
    before = state(production)
    found = look(production, tmp_path)
    assert found.status == 0, found.said
    assert "No drift of stack prod" in found.said
    assert "Job::migrate was deleted after it completed" in found.said
    assert state(production) == before


def drift_away(world: World) -> None:
    """All of it at once: a look takes a while."""
    clouds = world.layout.clouds
    other = provision(
        clouds,
        FIREWALL,
        {
            "name": "console",
            "rules": [{"direction": "in", "protocol": "tcp", "port": "22", "sourceIps": ["0.0.0.0/0"]}],
        },
    )
    with Store(clouds / "hcloud.json").transaction() as held:
        (firewall,) = (one for one in held.of(FIREWALL).values() if one["name"] == "honeydue")
        firewall["rules"] = [rule for rule in firewall["rules"] if not rule["description"].startswith("etcd")]
        firewall["rules"].append({"direction": "in", "protocol": "tcp", "port": "5432", "sourceIps": ["0.0.0.0/0"]})
        (server,) = (one for one in held.of(SERVER).values() if one["name"] == "ubuntu-8gb-nbg1-2")
        server["firewallIds"].append(int(other))
    with Store(clouds / "cloudflare.json").transaction() as held:
        (record,) = (
            one
            for one in held.of(RECORD).values()
            if (one["name"], one["content"]) == ("api.myhoneydue.com", "178.105.32.198")
        )
        record["proxied"] = False
    provision(
        clouds,
        RECORD,
        {
            "zoneId": zone(world),
            "name": "direct.myhoneydue.com",
            "type": "A",
            "content": "178.104.247.152",
            "proxied": False,
            "ttl": 1,
        },
    )
    account = read_account(clouds)
    ranges = replace(account.ip_ranges, ipv4_cidrs=[*account.ip_ranges.ipv4_cidrs, ANOTHER_RANGE])
    write_account(clouds, replace(account, ip_ranges=ranges))

    world.kubectl("scale", "-n", NAMESPACE, "deployment/web", "--replicas=1")
    world.kubectl("set", "image", "-n", NAMESPACE, "deployment/worker", f"worker={image('by-hand')}")
    world.kubectl("delete", "-n", NAMESPACE, "networkpolicy", "redis")
    world.kubectl("create", "configmap", "by-hand", "-n", NAMESPACE, "--from-literal=a=b")
    world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(BY_HAND))
    patched = {"stringData": {"SECRET_KEY": HIDDEN}}
    world.kubectl("patch", "-n", NAMESPACE, "secret", "honeydue-secrets", "-p", json.dumps(patched))
    leaked = {"data": {"DB_HOST": token(world)}}
    world.kubectl("patch", "-n", NAMESPACE, "configmap", "honeydue-config", "-p", json.dumps(leaked))


def image(tag: str) -> str:
    return f"gitea.treytartt.com/admin/honeydue-worker:{tag}"


def token(world: World) -> str:
    return world.pulumi("config", "get", "honeydue:hetznerToken").stdout.strip()


@pytest.fixture(scope="module")
def drifted(production: World, tmp_path_factory: pytest.TempPathFactory) -> Look:
    drift_away(production)
    before = state(production)
    found = look(production, tmp_path_factory.mktemp("look"))
    assert state(production) == before
    return found


def test_all_drift_is_told_and_nothing_else(drifted: Look) -> None:
    assert drifted.status == 2, drifted.said
    removed = "{description: etcd between nodes, direction: in, port: 2379-2380, protocol: tcp, sourceIps: "
    declared, found = drifted.rows["Firewall::honeydue", "rules"]
    assert (declared.startswith(removed), found) == (
        True,
        "{direction: in, port: 5432, protocol: tcp, sourceIps: 0.0.0.0/0}",
    )
    assert drifted.rows == {
        ("DnsRecord::api-hetzner2", "proxied"): ("true", "false"),
        ("A record direct.myhoneydue.com → 178.104.247.152", ""): ("not in the stack", "exists"),
        ("Firewall::honeydue", "rules"): (declared, found),
        ("Server::hetzner1", "firewallIds"): ("-", drifted.rows["Server::hetzner1", "firewallIds"][1]),
        # A range that Cloudflare added is in force in three places.
        ("Firewall::honeydue", "rules[HTTPS from Cloudflare alone].sourceIps"): (ANOTHER_RANGE, "-"),
        ("HelmChartConfig::traefik", "spec.valuesContent"): (f"- {ANOTHER_RANGE}", "-"),
        ("Middleware::cloudflare-only", "spec.ipAllowList.sourceRange"): (ANOTHER_RANGE, "-"),
        ("Deployment::web", "spec.replicas"): ("3", "1"),
        ("Deployment::worker", IMAGE): (drifted.rows["Deployment::worker", IMAGE][0], image("by-hand")),
        ("NetworkPolicy::redis", ""): ("exists", "missing"),
        ("Secret::honeydue-secrets", "data.SECRET_KEY"): ("[secret]", "another value"),
        ("ConfigMap::honeydue-config", "data.DB_HOST"): (
            drifted.rows["ConfigMap::honeydue-config", "data.DB_HOST"][0],
            "[secret]",
        ),
        ("ConfigMap by-hand", ""): ("not in the stack", "exists"),
        ("DaemonSet by-hand", ""): ("not in the stack", "exists"),
    }


def test_no_secret_is_told(production: World, drifted: Look) -> None:
    assert HIDDEN not in drifted.said
    assert token(production) not in drifted.said


def test_an_up_with_refresh_puts_back_what_was_declared(production: World, drifted: Look, tmp_path: Path) -> None:
    assert drifted.rows
    production.kubectl("delete", "-n", NAMESPACE, "configmap/by-hand", "daemonset/by-hand")
    with Store(production.layout.clouds / "cloudflare.json").transaction() as held:
        (id_,) = (id_ for id_, one in held.of(RECORD).items() if one["name"] == "direct.myhoneydue.com")
        del held.of(RECORD)[id_]
    done = ops(production, "up", "--stack", "prod", "--refresh", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    found = look(production, tmp_path)
    assert found.status == 0, found.said


@pytest.fixture
def world(production: World) -> Iterator[World]:
    """As it was, before and after."""
    kept = production.layout.config.read_text()
    yield production
    production.layout.config.write_text(kept)


def test_a_refused_token_is_no_drift(world: World, tmp_path: Path) -> None:
    world.pulumi("config", "set", "--secret", "honeydue:cloudflareToken", "expired-token-of-a-test")
    found = look(world, tmp_path)
    assert found.status == 1
    assert "Cloudflare rejects the token in honeydue:cloudflareToken (401)" in found.said
    assert "expired-token-of-a-test" not in found.said


def test_an_api_server_that_is_away_is_no_drift(world: World, tmp_path: Path) -> None:
    kubeconfig = yaml.safe_load(world.layout.kubeconfig.read_text())
    for one in kubeconfig["clusters"]:
        one["cluster"]["server"] = "https://127.0.0.1:1"
    world.pulumi("config", "set", "--secret", "honeydue:kubeconfig", yaml.safe_dump(kubeconfig))
    found = look(world, tmp_path)
    assert found.status == 1
    assert "the API server at https://127.0.0.1:1 cannot be reached" in found.said


def test_a_running_update_is_no_drift(world: World, tmp_path: Path) -> None:
    world.set_config("honeydue:images.api", "hanging-migration-9")
    update = world.start_pulumi("up", "--yes", "--skip-preview")
    for attempt in Retrying(stop=stop_after_delay(60), wait=wait_fixed(0.2), reraise=True):
        with attempt:
            assert any("migrate" in json.dumps(one["resource"]["urn"]) for one in pending(world))
    found = look(world, tmp_path)
    update.send_signal(signal.SIGINT)
    update.communicate(timeout=120)
    assert found.status == 1
    assert "Wait until the running update completes" in found.said


def pending(world: World) -> list[Mapping[str, Mapping[str, str]]]:
    operations: list[Mapping[str, Mapping[str, str]]] = (
        json.loads(state(world))["checkpoint"]["latest"].get("pending_operations") or []
    )
    return operations
