"""The program bootstraps a cluster in an empty account, and the cluster survives the loss of any server."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ops.guardrails.rules import check
from ops.plan import Plan
from rehearsal.clouds import console
from rehearsal.clouds.account import read_account, write_account
from rehearsal.clouds.faults import Fault, write_faults
from rehearsal.errors import RehearsalError
from rehearsal.layout import CHECKOUT
from rehearsal.machines.config import Config
from rehearsal.world.world import World
from tests.rehearsal.bootstrapped import HOSTNAMES, bootstrapped_world, cluster_attempts, machine, wait_for_cluster
from tests.rehearsal.clouds import delete_server
from tests.rehearsal.cluster import items
from tests.rehearsal.operator import ops

UP = ("up", "--yes", "--skip-preview")
LATE_ATTACHMENT = Fault(vendor="hetzner", method="POST", path=r".*/actions/attach_to_network", delay_seconds=5)
TLS = "var/lib/rancher/k3s/server/tls"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with bootstrapped_world(tmp_path_factory.mktemp("worlds")) as world:
        yield world


def cluster_ca(world: World, alias: str) -> bytes:
    return (machine(world, alias).root / TLS / "server-ca.crt").read_bytes()


def cluster_id(world: World) -> str:
    """The UID of the namespace kube-system, which identifies a cluster."""
    uid: str = world.kubectl_json("get", "namespace", "kube-system")["metadata"]["uid"]
    return uid


def up(world: World, *options: str) -> "subprocess.CompletedProcess[str]":
    # The project of this world contains only the program.
    return ops(world, "up", "--stack", "prod", "--yes", *options, extra={"PYTHONPATH": str(CHECKOUT)})


def replace_server(world: World, alias: str) -> None:
    """Replaces a server with the operator's commands."""
    world.set_config("honeydue:replacing", alias)
    replaced = up(world, "--replace", f"Server::{alias}")
    assert replaced.returncode == 0, replaced.stdout
    world.set_config("honeydue:replacing", None)


def test_one_up_in_an_empty_account_creates_a_cluster_with_ready_apps(world: World) -> None:
    ready = {
        deployment["metadata"]["name"]: deployment["status"].get("availableReplicas")
        for deployment in items(world, "deployments")
    }
    assert ready.keys() == {"api", "worker", "admin", "web", "redis"}
    assert all(ready.values())


def test_the_generated_kubeconfig_has_the_rights_of_an_administrator(world: World) -> None:
    user = world.kubectl_json("auth", "whoami")["status"]["userInfo"]
    assert (user["username"], "system:masters" in user["groups"]) == ("system:admin", True)
    assert world.outputs()["kubeconfig"] == "[secret]"


def test_three_servers_form_one_etcd_cluster(world: World) -> None:
    wait_for_cluster(world)
    assert len({cluster_ca(world, alias) for alias in HOSTNAMES}) == 1


def test_secrets_are_encrypted_in_etcd(world: World) -> None:
    server = machine(world, "hetzner3").root / "var/lib/rancher/k3s/server"
    world.kubectl(
        "create", "secret", "generic", "encrypted", "--namespace=default", "--from-literal=word=in-plain-text"
    )
    log = b"".join(file.read_bytes() for file in (server / "db/etcd").rglob("*.wal"))
    assert b"/registry/secrets/default/encrypted" in log
    assert b"in-plain-text" not in log


def test_a_second_up_changes_nothing_and_no_secret_of_the_user_data_is_shown_or_stored(world: World) -> None:
    output = world.pulumi(*UP, "--diff", "--expect-no-changes").stdout
    root = machine(world, "hetzner1").root
    secrets = [(root / "etc/honeydue/k3s-token").read_text().strip().rpartition(":")[2]]
    secrets += [file.read_text().splitlines()[1] for file in (root / TLS).rglob("*-ca.key")]
    assert len(secrets) == 6
    files = [*world.layout.clouds.glob("*.json"), *world.layout.backend.rglob("*.json*")]
    texts = output + "".join(file.read_text(errors="replace") for file in files)
    assert [secret[:8] for secret in secrets if secret in texts] == []


def test_settings_that_existing_nodes_do_not_take_over_are_refused(world: World) -> None:
    settings = world.layout.config.read_text()
    world.set_config("honeydue:access.sshPort", 22)
    world.set_config("honeydue:cluster.flannelBackend", "vxlan")
    world.set_config("honeydue:nodes.hetzner2.image", "ubuntu-26.04")
    plan = Plan.read(world.pulumi("preview", "--json", "--show-sames", "--ignore-protect").stdout)
    world.layout.config.write_text(settings)
    assert {violation.resource: violation.reason.partition(":")[0] for violation in check(plan)} == {
        "Firewall::honeydue": "would close tcp 2222 (SSH from operators) to everybody",
        "honeydue:access.sshPort": "would change from 2222 to 22, but hetzner1, hetzner2, hetzner3 would keep 2222",
        "honeydue:cluster.flannelBackend": "would change from wireguard-native to vxlan, but hetzner1, hetzner2, "
        "hetzner3 would keep wireguard-native",
        "honeydue:nodes.hetzner2.image": "would change from ubuntu-24.04 to ubuntu-26.04, but hetzner2 would keep "
        "ubuntu-24.04",
    }


def test_no_service_opens_a_port_of_a_node_outside_of_the_namespace_of_the_apps(world: World) -> None:
    for alias in HOSTNAMES:
        assert Config.read(machine(world, alias).root).texts("disable") == ["servicelb"]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "probe", "namespace": "default"},
        "spec": {"ports": [{"port": 443}], "externalIPs": ["203.0.113.1"]},
    }
    with pytest.raises(RehearsalError, match="Use of external IPs is denied by admission control"):
        world.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(service))


@pytest.mark.parametrize("alias", ["hetzner1", "hetzner3"])
def test_the_cluster_keeps_its_data_when_a_server_is_replaced(world: World, alias: str) -> None:
    before, ca = cluster_id(world), cluster_ca(world, alias)
    password = (machine(world, alias).root / "etc/rancher/node/password").read_text()
    world.kubectl("create", "configmap", f"before-{alias}", "--namespace=default")
    # The provider attaches the private network after the server was started.
    write_faults(world.layout.clouds, LATE_ATTACHMENT)
    replace_server(world, alias)
    write_faults(world.layout.clouds)
    wait_for_cluster(world)
    assert "waits for an interface with the address" in (machine(world, alias).logs / "k3s.log").read_text()
    world.kubectl("get", "configmap", f"before-{alias}", "--namespace=default")
    assert cluster_id(world) == before
    assert cluster_ca(world, alias) == ca
    assert (machine(world, alias).root / "etc/rancher/node/password").read_text() != password


def test_a_server_is_resized_or_runs_on_if_hetzner_refuses(world: World) -> None:
    account = read_account(world.layout.clouds)
    sold_out = {location: ["cx43"] for location in ("fsn1", "nbg1", "hel1")}
    write_account(world.layout.clouds, replace(account, sold_out=sold_out))
    # The kubeconfig contains the address of this server.
    world.set_config("honeydue:nodes.hetzner1.serverType", "cx43")
    world.set_config("honeydue:prices.servers.cx43", 11.99)
    wait_for_cluster(world)
    refused = up(world)
    assert refused.returncode == 1, refused.stdout
    assert "resource_unavailable" in refused.stdout
    assert "Nothing else was applied" in refused.stdout
    wait_for_cluster(world)
    write_account(world.layout.clouds, account)
    resized = up(world)
    assert resized.returncode == 0, resized.stdout
    wait_for_cluster(world)
    server = console.hetzner(world.layout.clouds).servers.get_by_name(HOSTNAMES["hetzner1"])
    assert server is not None
    assert server.server_type is not None
    assert (server.server_type.name, server.status) == ("cx43", "running")
    nodes = world.kubectl_json("get", "nodes")["items"]
    assert [node["metadata"]["name"] for node in nodes if node["spec"].get("unschedulable")] == []


def test_a_deleted_server_is_created_again_and_joins(world: World) -> None:
    delete_server(world, HOSTNAMES["hetzner2"])
    assert not machine(world, "hetzner2").folder.exists()
    world.pulumi(*UP, "--refresh", "--run-program")
    wait_for_cluster(world)


def test_a_replaced_init_node_waits_for_its_peers_and_bootstraps_no_second_cluster(world: World) -> None:
    before = cluster_id(world)
    for alias in ("hetzner2", "hetzner3"):
        machine(world, alias).stop()
    file_of_old_machine = machine(world, "hetzner1").folder / "old-machine"
    file_of_old_machine.touch()
    world.set_config("honeydue:replacing", "hetzner1")
    refused = up(world, "--replace", "Server::hetzner1")
    assert refused.returncode == 1
    assert "Server::hetzner1 would stop" in refused.stdout
    assert file_of_old_machine.exists()
    # What happens without the guard rail.
    engine = world.start_pulumi(*UP, "--replace", "**:Server::hetzner1")
    log = machine(world, "hetzner1").logs / "k3s.log"
    for attempt in cluster_attempts():
        with attempt:
            assert not file_of_old_machine.exists()
            assert log.exists()
            assert "waits for a server of its cluster" in log.read_text()
    assert not (machine(world, "hetzner1").root / "var/lib/rancher/k3s/server/db").exists()
    for alias in ("hetzner2", "hetzner3"):
        machine(world, alias).start()
    output, _ = engine.communicate(timeout=300)
    assert engine.returncode == 0, output
    wait_for_cluster(world)
    assert cluster_id(world) == before
