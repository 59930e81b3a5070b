"""Production's own configuration through the real engine: the preview is the truth, a second up is empty, accidents are refused."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from rehearsal.world.world import World
from tests.rehearsal.cluster import items
from tests.rehearsal.operator import ops
from tests.rehearsal.templates import EMPTY


def account(world: World) -> Path:
    return world.layout.clouds / "account.json"


def urns(world: World) -> set[str]:
    """All that the stack holds."""
    return {one["urn"] for one in json.loads(world.pulumi("stack", "export").stdout)["deployment"]["resources"]}


def test_everything_stands(production: World) -> None:
    ready = {
        one["metadata"]["name"]: one["status"].get("availableReplicas") for one in items(production, "deployments")
    }
    assert ready.keys() == {"api", "worker", "admin", "web", "redis"}
    assert all(ready.values())
    assert all(claim["status"]["phase"] == "Bound" for claim in items(production, "persistentvolumeclaims"))
    outputs = production.outputs()
    assert outputs["nodes"] == {
        "hetzner1": "178.104.247.152",
        "hetzner2": "178.105.32.198",
        "hetzner3": "178.104.249.189",
    }
    assert outputs["urls"]["apex"] == "https://myhoneydue.com"
    assert outputs["kubeconfig"] == "[secret]"


def test_productions_own_settings_apply_whatever_they_hold(tmp_path: Path) -> None:
    """All other worlds of these tests have the tests' own settings."""
    with World(tmp_path / "own") as world:
        world.pulumi("up", "--yes", "--skip-preview")
        world.pulumi("preview", "--expect-no-changes")


def test_a_second_up_changes_nothing_and_a_refresh_finds_nothing(production: World) -> None:
    production.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    production.pulumi("preview", "--refresh", "--expect-no-changes")


def test_no_secret_stands_in_state_or_output(production: World) -> None:
    values = json.loads(production.pulumi("config", "--show-secrets", "--json").stdout)
    secrets = [one["value"] for one in values.values() if one["secret"] and len(one.get("value", "")) > 7]
    assert len(secrets) >= 12
    said = production.pulumi("preview", "--diff", "--refresh").stdout + production.pulumi("stack", "export").stdout
    kept = said + "".join(file.read_text() for file in production.layout.backend.rglob("*.json"))
    assert [secret[:12] for secret in secrets if secret in kept or json.dumps(secret)[1:-1] in kept] == []


def test_no_copy_of_the_kubeconfig_is_left(production: World, tmp_path: Path) -> None:
    with production.ops_command("preview", "--stack", "prod") as (command, environment):
        subprocess.run(
            command,
            cwd=production.project,
            env={**environment, "TMPDIR": str(tmp_path)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
    assert list(tmp_path.iterdir()) == []


def test_destroy_is_refused_even_without_its_preview(production: World) -> None:
    before = urns(production)
    refused = production.pulumi("destroy", "--yes", check=False)
    assert refused.returncode != 0
    assert "protected" in refused.stdout + refused.stderr
    assert urns(production) == before

    # The engine goes on past a protected resource here: all that serves must carry the protection itself.
    assert production.pulumi("destroy", "--yes", "--skip-preview", check=False).returncode != 0
    assert {urn.split("$")[-1].split("::")[0] for urn in before - urns(production)} <= {
        "kubernetes:batch/v1:Job",
        "hcloud:index/sshKey:SshKey",
    }
    production.pulumi("up", "--yes", "--skip-preview")
    assert urns(production) == before


def test_all_mistakes_are_shown_once_and_nothing_is_contacted(tmp_path: Path) -> None:
    # Never started: there is no API server to contact.
    stopped = EMPTY.clone(tmp_path / "stopped")
    stopped.set_config("honeydue:domian", "x")
    stopped.set_config("honeydue:nodes.hetzner1.ipv4", "178.104.247.300")
    refused = stopped.pulumi("preview", check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert "2 configuration errors in stack prod. Nothing was contacted." in said
    assert "Traceback" not in said
    assert list(stopped.layout.clouds.glob("*.json")) == [account(stopped)]


@pytest.fixture(scope="module")
def unapplied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which nothing was applied yet; the last of its tests applies a part."""
    with EMPTY.clone(tmp_path_factory.mktemp("worlds") / "unapplied") as world:
        yield world


@contextmanager
def holding(world: World, **values: object) -> Iterator[None]:
    """With these values in the account, for the length of the block."""
    file = account(world)
    held = file.read_text()
    file.write_text(json.dumps(json.loads(held) | values))
    try:
        yield
    finally:
        file.write_text(held)


def test_a_first_plan_passes(unapplied: World) -> None:
    shown = ops(unapplied, "preview", "--stack", "prod")
    assert shown.returncode == 0, shown.stdout


def test_empty_cloudflare_ranges_are_refused(unapplied: World) -> None:
    with holding(unapplied, ip_ranges={"ipv4_cidrs": [], "ipv6_cidrs": []}):
        refused = unapplied.pulumi("preview", check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert "0 IPv4 and 0 IPv6 ranges" in said
    assert "Traceback" not in said


def test_an_address_hetzner_does_not_hold_stops_all_that_would_point_at_it(unapplied: World) -> None:
    addresses = json.loads(account(unapplied).read_text())["addresses"]
    with holding(unapplied, addresses={**addresses, "hetzner2-ipv4": "203.0.113.9"}):
        refused = unapplied.pulumi("up", "--yes", "--skip-preview", check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert (
        "honeydue:nodes.hetzner2.ipv4 expects 178.105.32.198, but primary IP hetzner2-ipv4 at Hetzner is 203.0.113.9"
        in said
    )
    assert "Traceback" not in said
    created = urns(unapplied)
    assert any("PrimaryIp::hetzner2" in urn for urn in created)
    assert [
        urn for urn in created if "firewall:Firewall" in urn or ("DnsRecord" in urn and urn.endswith("hetzner2"))
    ] == []


def test_an_interrupted_up_is_finished_by_the_next(empty: World) -> None:
    engine = empty.start_pulumi("up", "--yes", "--skip-preview")
    half_way = "core/v1:Namespace::honeydue"
    for attempt in Retrying(stop=stop_after_delay(60), wait=wait_fixed(0.2), reraise=True):
        with attempt:
            assert any(half_way in file.read_text() for file in empty.layout.backend.rglob("stacks/**/prod.json"))
    engine.send_signal(signal.SIGINT)
    assert engine.wait(timeout=60) != 0
    empty.pulumi("up", "--yes", "--skip-preview")
    empty.pulumi("preview", "--refresh", "--expect-no-changes")
