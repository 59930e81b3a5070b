"""What the engine's protection refuses, what it lets through, and that the check on the plan refuses both (docs/guard-rails.md)."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from rehearsal.world.world import World
from tests.rehearsal.operator import edit, editable_copy, ops
from tests.rehearsal.templates import PRODUCTION

NODE = "hetzner3"
OF_THE_NODE = {
    f"Server::{NODE}",
    f"PrimaryIp::{NODE}",
    *(f"DnsRecord::{host}-{NODE}" for host in ("api", "admin", "app", "apex")),
}


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Production's own program in a folder where a test may edit it, applied."""
    project = editable_copy(tmp_path_factory.mktemp("project"))
    with PRODUCTION.clone(tmp_path_factory.mktemp("worlds") / "guarded", project=project) as world:
        yield world


@pytest.fixture
def world(settled: World) -> Iterator[World]:
    """As it was, before and after: settings, program, protection."""
    kept, was = settled.layout.config.read_text(), state(settled)
    program = {path: path.read_text() for path in (settled.project / "infra").rglob("*.py")}
    yield settled
    settled.layout.config.write_text(kept)
    for path, text in program.items():
        path.write_text(text)
    if state(settled) != was:
        settled.pulumi("up", "--yes", "--skip-preview")


def state_file(world: World) -> Path:
    (file,) = world.layout.backend.rglob("stacks/**/prod.json")
    return file


def state(world: World) -> str:
    return state_file(world).read_text()


@contextmanager
def unprotected(world: World) -> Iterator[None]:
    """Without the engine's protection, for what applies nothing: afterwards the state is written back."""
    protected = state(world)
    world.pulumi("state", "unprotect", "--yes", "--all")
    try:
        yield
    finally:
        state_file(world).write_text(protected)


def resources(world: World) -> Mapping[str, Mapping[str, Any]]:
    found = json.loads(world.pulumi("stack", "export").stdout)["deployment"]["resources"]
    return {one["urn"]: one for one in found}


def urn(world: World, short: str) -> str:
    kind, _, name = short.partition("::")
    (found,) = [one for one in resources(world) if one.endswith(f":{kind}::{name}")]
    return found


def clouds(world: World) -> Mapping[str, str]:
    """What the simulated clouds hold."""
    return {file.name: file.read_text() for file in world.layout.clouds.glob("*.json")}


def refused_as_protected(world: World) -> bool:
    """Whether the engine alone refuses, and for that reason; anything else that goes wrong fails the test."""
    done = world.pulumi("preview", check=False)
    protected = "because it is protected" in done.stdout or "currently marked for protection" in done.stdout
    assert protected == (done.returncode != 0), done.stdout
    return protected


def node_removed(world: World) -> None:
    world.set_config(f"honeydue:nodes.{NODE}", None)


def properties_changed(world: World) -> None:
    """An address elsewhere, a shorter certificate, a record that is no longer for the apex alone."""
    world.set_config("honeydue:nodes.hetzner1.location", "fsn1")
    world.set_config("honeydue:edge.originCertificateDays", 365)
    edit(
        world,
        "infra/edge/zone.py",
        "zone_id=self.id,\n                name=fqdn",
        'zone_id="0" * 32,\n                name=fqdn',
    )


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "unprotected by hand"])
@pytest.mark.parametrize(
    ("change", "lost"),
    [
        pytest.param(node_removed, OF_THE_NODE, id="node removed"),
        pytest.param(
            properties_changed,
            {"PrimaryIp::hetzner1", "OriginCaCertificate::origin", "DnsRecord::apex-hetzner1"},
            id="properties changed",
        ),
    ],
)
def test_a_loss_is_refused_whatever_the_engine_thinks_of_it(
    world: World, change: Callable[[World], None], lost: set[str], protected: bool
) -> None:
    with nullcontext() if protected else unprotected(world):
        change(world)
        assert refused_as_protected(world) == protected

        before = clouds(world), state(world)
        refused = ops(world, "up", "--stack", "prod", "--yes")
        assert refused.returncode == 1
        for resource in lost:
            assert f"{resource} would be " in refused.stdout
            assert f'make up STACK=prod ALLOW_DELETE="{resource}"' in refused.stdout
        assert (clouds(world), state(world)) == before


def test_a_volume_in_use_is_not_replaced(world: World) -> None:
    edit(world, "infra/apps/redis.py", 'else "local-path"', 'else "hcloud-volumes"')
    assert refused_as_protected(world)
    with unprotected(world):
        before = clouds(world), state(world)
        refused = ops(world, "up", "--stack", "prod", "--yes")
        assert (clouds(world), state(world)) == before
    assert refused.returncode == 1
    assert (
        "PersistentVolumeClaim::redis-data would be replaced, because spec.storageClassName changed" in refused.stdout
    )
    assert "spec is immutable" in refused.stdout


def test_another_volume_is_a_loss_of_the_old_one(world: World) -> None:
    edit(world, "infra/apps/redis.py", 'CLAIM = "redis-data"', 'CLAIM = "redis-data-2"')
    assert refused_as_protected(world)
    refused = ops(world, "preview", "--stack", "prod")
    assert refused.returncode == 1
    assert "PersistentVolumeClaim::redis-data would be deleted: its volume is deleted" in refused.stdout


def test_protection_alone_comes_too_late_without_a_preview(world: World) -> None:
    firewall = urn(world, "Firewall::honeydue")
    node_removed(world)
    rules = resources(world)[firewall]["outputs"]["rules"]
    done = world.pulumi("up", "--yes", "--skip-preview", check=False)
    assert done.returncode != 0
    assert "cannot be deleted" in done.stdout
    # The server lives on, and etcd's other members no longer hear it.
    assert urn(world, f"Server::{NODE}")
    assert resources(world)[firewall]["outputs"]["rules"] != rules


def test_protection_alone_lets_through_what_drops_it_in_the_same_change(world: World) -> None:
    edit(world, "infra/component.py", "protect=True", "protect=False")
    world.set_config("honeydue:edge.originCertificateDays", 365)
    assert not refused_as_protected(world)
    refused = ops(world, "preview", "--stack", "prod")
    assert refused.returncode == 1
    assert "OriginCaCertificate::origin would be replaced, because requestedValidity changed" in refused.stdout
    assert "Firewall::honeydue would no longer be protected" in refused.stdout


def test_a_confirmed_deletion_is_applied_and_nothing_else_loses_its_protection(world: World) -> None:
    node_removed(world)
    everything = [option for resource in OF_THE_NODE for option in ("--allow-delete", resource)]
    unasked = ops(world, "up", "--stack", "prod", *everything, answer="n\n")
    assert unasked.returncode == 1
    assert urn(world, f"Server::{NODE}")

    done = ops(world, "up", "--stack", "prod", *everything, answer="y\n")
    assert done.returncode == 0, done.stdout
    left = resources(world)
    assert [one for one in left if one.endswith((f"::{NODE}", f"-{NODE}"))] == []
    real = {one: held for one, held in left.items() if held["custom"] and not held["type"].startswith("pulumi:")}
    assert {held["type"].rsplit(":", 1)[-1] for held in real.values() if not held.get("protect")} == {"Job", "SshKey"}
    again = ops(world, "up", "--stack", "prod", "--yes", *everything)
    assert again.returncode == 1
    assert f"Server::{NODE} is in ALLOW_DELETE, but this plan does not delete it" in again.stdout


def test_the_origin_certificate_is_renewed_by_confirming_its_replacement(world: World) -> None:
    certificate = urn(world, "OriginCaCertificate::origin")
    old = resources(world)[certificate]["id"]
    served = ["get", "secret", "cloudflare-origin-cert", "-n", "honeydue", "-o", r"jsonpath={.data.tls\.crt}"]
    before = world.kubectl(*served)
    world.pulumi("state", "taint", "--yes", certificate)
    assert "OriginCaCertificate::origin would be replaced" in ops(world, "preview", "--stack", "prod").stdout
    done = ops(world, "up", "--stack", "prod", "--yes", "--allow-delete", "OriginCaCertificate::origin")
    assert done.returncode == 0, done.stdout
    held = resources(world)[certificate]
    assert held["id"] != old
    assert held["protect"]
    assert world.kubectl(*served) != before


def test_a_plan_that_loses_nothing_passes(world: World) -> None:
    world.set_config("honeydue:images.api", "0a0a0a0a0a")
    shown = ops(world, "preview", "--stack", "prod", "--diff")
    assert shown.returncode == 0, shown.stdout
    assert "spec.template.spec.containers.image (its pods roll)" in shown.stdout
    assert "honeydue-api:0a0a0a0a0a" in shown.stdout
    assert ops(world, "up", "--stack", "prod", "--yes").returncode == 0
    assert world.pulumi("preview", "--expect-no-changes").returncode == 0


def test_a_mistake_in_the_settings_is_told_and_nothing_else(world: World) -> None:
    world.set_config("honeydue:domian", "x")
    told = ops(world, "up", "--stack", "prod", "--yes")
    assert told.returncode == 1
    assert "honeydue:domian is no setting: did you mean domain?" in told.stdout
    assert "Traceback" not in told.stdout


def test_leaving_takes_the_state_and_nothing_that_runs(settled: World) -> None:
    """Last in this file: the stack is gone after it."""
    cluster = settled.kubectl("get", "all,pvc,secret,ingress,networkpolicy", "-n", "honeydue", "-o", "name")
    before = clouds(settled)
    refused = settled.pulumi("stack", "rm", "prod", "--yes", check=False)
    assert refused.returncode != 0
    settings: Path = settled.layout.config
    settled.pulumi("stack", "rm", "prod", "--yes", "--force", "--preserve-config")
    assert "honeydue:domain" in settings.read_text()
    assert clouds(settled) == before
    assert settled.kubectl("get", "all,pvc,secret,ingress,networkpolicy", "-n", "honeydue", "-o", "name") == cluster
    assert "honeydue/redis-data" in cluster or "persistentvolumeclaim/redis-data" in cluster
