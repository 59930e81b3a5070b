"""Production as it was built by hand is taken over: nothing is touched, nothing would be replaced, and the first up loses nobody."""

import base64
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from ops import stackfile
from ops.plan import Plan
from rehearsal.clouds import existing
from rehearsal.clouds.store import Store
from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE, everything, items
from tests.rehearsal.operator import ops
from tests.rehearsal.templates import BROWNFIELD
from tests.rehearsal.watching import Watching

SERVER = "hcloud:index/server:Server"
RECORD = "cloudflare:index/dnsRecord:DnsRecord"


def held(world: World) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """All that the clouds hold: type, id, properties."""
    return {
        **existing.state(world.layout.clouds, "hcloud").resources,
        **existing.state(world.layout.clouds, "cloudflare").resources,
    }


def plan(world: World) -> Plan:
    return Plan.read(world.pulumi("preview", "--json", "--show-sames", "--ignore-protect").stdout)


def known(world: World) -> Mapping[str, str]:
    """Ids of what the stack holds, by URN."""
    resources = json.loads(world.pulumi("stack", "export").stdout)["deployment"].get("resources", [])
    return {one["urn"]: one["id"] for one in resources if "id" in one and "pulumi:providers" not in one["urn"]}


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """A world after `adopt`: what that said, and what was there before."""

    world: World
    said: str
    watched: Watching
    objects: Mapping[str, tuple[str, str]]
    clouds: Mapping[str, Mapping[str, Mapping[str, Any]]]


@pytest.fixture(scope="module")
def adopted(brownfield_world: World) -> Adoption:
    objects, clouds = everything(brownfield_world), held(brownfield_world)
    with Watching(brownfield_world) as watched:
        said = brownfield_world.adopt(env={"COLUMNS": "400"}).stdout
    return Adoption(world=brownfield_world, said=said, watched=watched, objects=objects, clouds=clouds)


def test_nothing_was_touched(adopted: Adoption) -> None:
    assert everything(adopted.world) == adopted.objects
    assert held(adopted.world) == adopted.clouds
    assert (adopted.watched.fewest_ready, adopted.watched.restarted) == (3, set())


def test_every_resource_is_in_the_table_and_all_that_lives_is_found(adopted: Adoption) -> None:
    assert "0 ambiguous · 51 found" in adopted.said
    for line in (
        "Deployment::api found keeps its selector",
        "ZoneSetting::ssl found is strict",
        "Firewall::honeydue missing",
    ):
        assert line in " ".join(adopted.said.split())
    assert "the old certificate stays valid until it is revoked" in adopted.said
    assert "PodDisruptionBudget api-pdb" in adopted.said
    assert len(known(adopted.world)) == 51


def test_what_cannot_be_changed_stands_in_the_settings(adopted: Adoption) -> None:
    recorded = stackfile.load(adopted.world.layout.config)["config"]["honeydue:adopted"]
    assert recorded["selectors"] == {
        app: {"app": f"honeydue-{app}"} for app in ("api", "worker", "admin", "web", "redis")
    }
    services = {one["metadata"]["name"]: one["spec"]["clusterIP"] for one in items(adopted.world, "services")}
    assert recorded["clusterIps"] == services
    (claim,) = items(adopted.world, "persistentvolumeclaims")
    assert recorded["volumes"]["redis"]["volume"] == claim["spec"]["volumeName"]


def test_no_secret_stands_in_state_or_in_what_was_said(adopted: Adoption) -> None:
    world = adopted.world
    values = json.loads(world.pulumi("config", "--show-secrets", "--json").stdout)
    secrets = [one["value"] for one in values.values() if one["secret"] and len(one.get("value", "")) > 7]
    for secret in items(world, "secrets"):
        secrets += [base64.b64decode(one).decode() for one in secret["data"].values()] + list(secret["data"].values())
    assert len(secrets) >= 24
    kept = adopted.said + "".join(file.read_text() for file in world.layout.backend.rglob("*.json"))
    assert [secret[:12] for secret in secrets if secret in kept or json.dumps(secret)[1:-1] in kept] == []


def test_a_second_adoption_does_nothing(adopted: Adoption) -> None:
    before = adopted.world.pulumi("stack", "export").stdout
    assert "Nothing to adopt: every existing resource is in the stack." in adopted.world.adopt().stdout
    assert json.loads(adopted.world.pulumi("stack", "export").stdout)["deployment"] == json.loads(before)["deployment"]
    assert everything(adopted.world) == adopted.objects


def test_the_account_of_fields_names_nobody_but_controllers_and_the_program(adopted: Adoption) -> None:
    kinds, adopted_ids = (
        "deployments,services,configmaps,ingresses,horizontalpodautoscalers,secrets",
        known(adopted.world).values(),
    )
    managers = {
        entry["manager"]
        for one in adopted.world.kubectl_json("get", kinds, "-n", NAMESPACE, "--show-managed-fields")["items"]
        if f"honeydue/{one['metadata']['name']}" in adopted_ids
        for entry in one["metadata"]["managedFields"]
    }
    assert {manager for manager in managers if manager.startswith("kubectl")} == set()


def test_the_next_plan_makes_nothing_anew_and_breaks_no_promise(adopted: Adoption) -> None:
    planned = plan(adopted.world)
    assert [step.short for step in planned.changes if step.deletes] == []
    assert {step.urn for step in planned.changes if step.op == "create"} & known(adopted.world).keys() == set()
    checked = ops(adopted.world, "preview", "--stack", "prod")
    assert checked.returncode == 0, checked.stdout


def test_what_will_be_missed_is_named(adopted: Adoption) -> None:
    assert "ConfigMap::honeydue-config: DB_MAX_OPEN_CONNS" in adopted.said
    assert "Secret::honeydue-apns-key: apns_auth_key.p8" in adopted.said


def restarting(said: str) -> set[str]:
    """Names of the workloads that the adoption says the next `up` restarts."""
    _, _, after = said.partition("The next up restarts:\n")
    lines = after.splitlines()
    return {line.split()[0] for line in lines[: next(at for at, line in enumerate(lines) if not line.startswith("  "))]}


# The last test of this world: from here on it is no longer as it was adopted.
def test_the_first_up_restarts_what_was_announced_and_loses_nothing(adopted: Adoption) -> None:
    world = adopted.world
    with Watching(world) as watched:
        world.pulumi("up", "--yes", "--skip-preview")
    assert watched.fewest_ready >= 2
    assert watched.restarted == restarting(adopted.said) == {"api", "worker", "admin", "web", "redis"}
    assert watched.before.claims == watched.after.claims
    now = held(world)
    assert {id_: live["ipv4Address"] for id_, live in now[SERVER].items()} == {
        id_: live["ipv4Address"] for id_, live in adopted.clouds[SERVER].items()
    }
    assert now[RECORD] == adopted.clouds[RECORD]
    world.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    world.pulumi("preview", "--refresh", "--expect-no-changes")
    assert "Nothing to adopt" in world.adopt().stdout


@pytest.fixture
def another(tmp_path: Path) -> Iterator[World]:
    with BROWNFIELD.clone(tmp_path / "another") as world:
        yield world


def start(world: World, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=world.project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A group of its own, as a terminal gives it: Ctrl-C then reaches the command and the engine alike.
        start_new_session=True,
    )


def test_an_ambiguity_stops_it_and_an_interruption_is_gone_on_from(another: World) -> None:
    # Two servers fit: one has the name, another the address.
    with Store(another.layout.clouds / "hcloud.json").transaction() as state:
        (id_,) = (id_ for id_, live in state.of(SERVER).items() if live["name"] == "ubuntu-8gb-nbg1-2")
        state.of(SERVER)[id_]["name"] = "renamed"
        state.of(SERVER)["9999"] = {**state.of(SERVER)[id_], "name": "ubuntu-8gb-nbg1-2"}
    stopped = another.adopt(check=False, env={"COLUMNS": "400"})
    assert stopped.returncode != 0
    assert "Server::hetzner1 ambiguous" in " ".join(stopped.stdout.split())
    assert "1 ambiguous, as shown above. Nothing was changed" in stopped.stdout
    assert known(another) == {}
    assert "honeydue:adopted" not in stackfile.load(another.layout.config)["config"]
    with Store(another.layout.clouds / "hcloud.json").transaction() as state:
        del state.of(SERVER)["9999"]

    with another.ops_command("adopt", "--stack", "prod", "--yes") as (command, environment):
        process = start(another, command, environment)
        for attempt in Retrying(stop=stop_after_delay(120), wait=wait_fixed(0.1), reraise=True):
            with attempt:
                assert any(
                    "primaryIp:PrimaryIp::" in file.read_text()
                    for file in another.layout.backend.rglob("stacks/**/prod.json")
                )
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "Resources that it imported stay imported; run the command again" in said
    assert "Traceback" not in said
    half = known(another)
    assert 0 < len(half) < 51

    objects = everything(another)
    assert "Import complete." in another.adopt().stdout
    assert half.items() <= known(another).items()
    assert len(known(another)) == 51
    assert everything(another) == objects
    assert [step.short for step in plan(another).changes if step.deletes] == []
