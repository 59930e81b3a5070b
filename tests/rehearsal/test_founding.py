"""The program founds its cluster on an empty account, and any of its machines is cattle: the cluster outlives each of them."""

from collections.abc import Iterator

import pytest

from rehearsal.clouds import existing
from rehearsal.clouds.hetzner.common import SERVER
from rehearsal.world.world import World
from tests.rehearsal.cluster import items
from tests.rehearsal.founded import HOSTNAMES, await_whole, founded, machine, patiently

UP = ("up", "--yes", "--skip-preview")
TLS = "var/lib/rancher/k3s/server/tls"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with founded(tmp_path_factory.mktemp("worlds")) as world:
        yield world


def authority(world: World, alias: str) -> bytes:
    return (machine(world, alias).root / TLS / "server-ca.crt").read_bytes()


def created_at(world: World) -> str:
    """When the cluster was: its first namespace."""
    found: str = world.kubectl_json("get", "namespace", "kube-system")["metadata"]["uid"]
    return found


def replace(world: World, alias: str) -> None:
    """As the operator does it."""
    world.set_config("honeydue:replacing", alias)
    world.pulumi(*UP, "--replace", f"**:Server::{alias}")
    world.set_config("honeydue:replacing", None)


def test_one_up_on_an_empty_account_makes_everything(world: World) -> None:
    ready = {one["metadata"]["name"]: one["status"].get("availableReplicas") for one in items(world, "deployments")}
    assert ready.keys() == {"api", "worker", "admin", "web", "redis"}
    assert all(ready.values())


def test_the_kubeconfig_that_the_program_computed_lets_its_holder_in(world: World) -> None:
    who = world.kubectl_json("auth", "whoami")["status"]["userInfo"]
    assert (who["username"], "system:masters" in who["groups"]) == ("system:admin", True)
    assert world.outputs()["kubeconfig"] == "[secret]"


def test_three_servers_are_one_etcd(world: World) -> None:
    await_whole(world)
    assert len({authority(world, alias) for alias in HOSTNAMES}) == 1


def test_secrets_are_encrypted_in_etcd(world: World) -> None:
    server = machine(world, "hetzner3").root / "var/lib/rancher/k3s/server"
    world.kubectl("create", "secret", "generic", "told", "--namespace=default", "--from-literal=word=in-plain-text")
    held = b"".join(file.read_bytes() for file in (server / "db/etcd").rglob("*.wal"))
    assert b"/registry/secrets/default/told" in held
    assert b"in-plain-text" not in held


def test_a_second_up_changes_nothing_and_no_secret_of_the_user_data_is_seen_or_kept(world: World) -> None:
    shown = world.pulumi(*UP, "--diff", "--expect-no-changes").stdout
    root = machine(world, "hetzner1").root
    secrets = [(root / "etc/honeydue/k3s-token").read_text().strip().rpartition(":")[2]]
    secrets += [file.read_text().splitlines()[1] for file in (root / TLS).rglob("*-ca.key")]
    assert len(secrets) == 6
    kept = [*world.layout.clouds.glob("*.json"), *world.layout.backend.rglob("*.json*")]
    everything = shown + "".join(file.read_text(errors="replace") for file in kept)
    assert [secret[:8] for secret in secrets if secret in everything] == []


@pytest.mark.parametrize("alias", ["hetzner1", "hetzner3"])
def test_a_machine_is_replaced_and_the_cluster_with_its_data_survives(world: World, alias: str) -> None:
    before, trusted = created_at(world), authority(world, alias)
    password = (machine(world, alias).root / "etc/rancher/node/password").read_text()
    world.kubectl("create", "configmap", f"before-{alias}", "--namespace=default")
    replace(world, alias)
    await_whole(world)
    world.kubectl("get", "configmap", f"before-{alias}", "--namespace=default")
    assert created_at(world) == before
    assert authority(world, alias) == trusted
    assert (machine(world, alias).root / "etc/rancher/node/password").read_text() != password


def test_a_server_that_somebody_deleted_is_made_anew_and_joins(world: World) -> None:
    existing.remove(world.layout.clouds, SERVER, HOSTNAMES["hetzner2"])
    assert not machine(world, "hetzner2").folder.exists()
    world.pulumi(*UP, "--refresh", "--run-program")
    await_whole(world)


def test_the_founder_waits_for_its_peers_and_founds_nothing(world: World) -> None:
    before = created_at(world)
    for alias in ("hetzner2", "hetzner3"):
        machine(world, alias).stop()
    of_the_old_one = machine(world, "hetzner1").folder / "marked"
    of_the_old_one.touch()
    world.set_config("honeydue:replacing", "hetzner1")
    engine = world.start_pulumi(*UP, "--replace", "**:Server::hetzner1")
    log = machine(world, "hetzner1").logs / "k3s.log"
    for attempt in patiently():
        with attempt:
            assert not of_the_old_one.exists()
            assert log.exists()
            assert "waits for a server of its cluster" in log.read_text()
    assert not (machine(world, "hetzner1").root / "var/lib/rancher/k3s/server/db").exists()
    for alias in ("hetzner2", "hetzner3"):
        machine(world, alias).start()
    said, _ = engine.communicate(timeout=300)
    assert engine.returncode == 0, said
    await_whole(world)
    assert created_at(world) == before
