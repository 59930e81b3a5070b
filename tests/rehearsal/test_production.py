"""The program with the real engine: previews are correct, a second `up` changes nothing, mistakes are refused."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.names import MONITORING, NODE_EXPORTER
from rehearsal.world.world import World
from tests.rehearsal.clouds import cloud_resources
from tests.rehearsal.cluster import items
from tests.rehearsal.operator import ops
from tests.rehearsal.stack_state import resources, state, state_file, urn
from tests.rehearsal.templates import EMPTY
from tests.retry import attempts


def account(world: World) -> Path:
    return world.layout.clouds / "account.json"


def urns(world: World) -> set[str]:
    """The URNs of all resources in the state."""
    resources = json.loads(world.pulumi("stack", "export").stdout)["deployment"]["resources"]
    return {resource["urn"] for resource in resources}


def test_all_apps_are_available_and_the_outputs_are_set(production: World) -> None:
    namespaces = {item["metadata"]["name"] for item in production.kubectl_json("get", "namespaces")["items"]}
    assert not namespaces & {MONITORING, NODE_EXPORTER}
    ready = {
        deployment["metadata"]["name"]: deployment["status"].get("availableReplicas")
        for deployment in items(production, "deployments")
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
    assert datetime.fromisoformat(outputs["originCertificateExpiry"]).tzinfo == UTC


def test_the_settings_of_production_can_be_applied(tmp_path: Path) -> None:
    """All other tests use the example settings, in which monitoring is off."""
    with World(tmp_path / "production") as world:
        world.pulumi("up", "--yes", "--skip-preview")
        world.pulumi("preview", "--expect-no-changes")
        nodes = len(world.kubectl_json("get", "nodes")["items"])
        for namespace in (MONITORING, NODE_EXPORTER):
            workloads = world.kubectl_json("get", "daemonsets,deployments,statefulsets", "-n", namespace)["items"]
            assert workloads
            for workload in workloads:
                status, expected = workload["status"], workload["spec"].get("replicas", nodes)
                assert status.get("numberReady", status.get("readyReplicas")) == expected, workload["metadata"]["name"]


def test_status_shows_the_cluster_while_victoria_metrics_cannot_be_reached(production: World) -> None:
    settings = production.layout.config.read_text()
    try:
        production.set_config("honeydue:monitoring", {"url": "https://obs.invalid", "username": "cluster"})
        production.set_config("honeydue:metricsPassword", "password-of-obs")
        status = ops(production, "status", "--stack", "prod")
    finally:
        production.layout.config.write_text(settings)
    rows = [row.split(maxsplit=2) for row in status.stdout.splitlines()[1:]]
    assert {subject for result, subject, _ in rows if result == "unchecked"} == {"alerts", "rules"}, status.stdout
    assert {subject for result, subject, _ in rows if result != "unchecked"} == {
        *("nodes", "release", "pods", "migration", "snapshots", "backups", "uptime", "certificates", "cost"),
    }
    assert not [row for row in rows if row[0] == "problem"], status.stdout
    assert status.returncode == 2
    assert "password-of-obs" not in status.stdout


def test_a_second_up_and_a_refresh_change_nothing(production: World) -> None:
    production.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    production.pulumi("preview", "--refresh", "--expect-no-changes")


def test_no_secret_is_in_the_state_or_in_the_output(production: World) -> None:
    values = json.loads(production.pulumi("config", "--show-secrets", "--json").stdout)
    secrets = [entry["value"] for entry in values.values() if entry["secret"] and len(entry.get("value", "")) > 7]
    assert len(secrets) >= 12
    output = production.pulumi("preview", "--diff", "--refresh").stdout + production.pulumi("stack", "export").stdout
    texts = output + "".join(file.read_text() for file in production.layout.backend.rglob("*.json"))
    assert [secret[:12] for secret in secrets if secret in texts or json.dumps(secret)[1:-1] in texts] == []


def test_a_preview_leaves_no_temporary_file(production: World, tmp_path: Path) -> None:
    command, environment = production.ops_command("preview", "--stack", "prod")
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
    for flags, reason in (
        # The hook of the servers is part of the program.
        (["--skip-preview"], "You must run with the `--run-program` flag"),
        (["--run-program"], "because it is protected"),
    ):
        refused = production.pulumi("destroy", "--yes", *flags, check=False)
        assert refused.returncode != 0
        assert reason in refused.stdout + refused.stderr
        assert urns(production) == before

    # Without a preview, the engine deletes every resource that is not protected itself. Only these two kinds may be.
    assert production.pulumi("destroy", "--yes", "--skip-preview", "--run-program", check=False).returncode != 0
    assert {urn.split("$")[-1].split("::")[0] for urn in before - urns(production)} <= {
        "kubernetes:batch/v1:Job",
        "hcloud:index/sshKey:SshKey",
    }
    production.pulumi("up", "--yes", "--skip-preview")
    assert urns(production) == before


def test_all_configuration_errors_are_reported_at_once_before_anything_is_contacted(tmp_path: Path) -> None:
    # The world is not started, so no API server can be contacted.
    stopped = EMPTY.clone(tmp_path / "stopped")
    stopped.set_config("honeydue:domian", "x")
    stopped.set_config("honeydue:nodes.hetzner1.ipv4", "178.104.247.300")
    refused = stopped.pulumi("preview", check=False)
    output = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert "2 configuration errors in stack prod. Nothing was contacted." in output
    assert "Traceback" not in output
    assert list(stopped.layout.clouds.glob("*.json")) == [account(stopped)]


@pytest.fixture(scope="module")
def unapplied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which nothing is applied. The last of its tests applies a part of the program."""
    with EMPTY.clone(tmp_path_factory.mktemp("worlds") / "unapplied") as world:
        yield world


@contextmanager
def changed_account(world: World, **values: object) -> Iterator[None]:
    """Sets values of the simulated account. Restores it afterwards."""
    file = account(world)
    before = file.read_text()
    file.write_text(json.dumps(json.loads(before) | values))
    try:
        yield
    finally:
        file.write_text(before)


def test_the_first_preview_succeeds(unapplied: World) -> None:
    preview = ops(unapplied, "preview", "--stack", "prod")
    assert preview.returncode == 0, preview.stdout


def test_empty_cloudflare_ranges_are_refused(unapplied: World) -> None:
    with changed_account(unapplied, ip_ranges={"ipv4_cidrs": [], "ipv6_cidrs": []}):
        refused = unapplied.pulumi("preview", check=False)
    output = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert "0 IPv4 and 0 IPv6 ranges" in output
    assert "Traceback" not in output


def test_an_unexpected_address_stops_the_firewall_and_the_dns_records_of_its_node(unapplied: World) -> None:
    addresses = json.loads(account(unapplied).read_text())["addresses"]
    with changed_account(unapplied, addresses={**addresses, "hetzner2-ipv4": "203.0.113.9"}):
        refused = unapplied.pulumi("up", "--yes", "--skip-preview", check=False)
    output = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert (
        "honeydue:nodes.hetzner2.ipv4 expects 178.105.32.198, but primary IP hetzner2-ipv4 at Hetzner is 203.0.113.9"
        in output
    )
    assert "Traceback" not in output
    created = urns(unapplied)
    assert any("PrimaryIp::hetzner2" in urn for urn in created)
    assert [
        urn for urn in created if "firewall:Firewall" in urn or ("DnsRecord" in urn and urn.endswith("hetzner2"))
    ] == []


def test_the_next_up_completes_an_interrupted_one(empty: World) -> None:
    engine = empty.start_pulumi("up", "--yes", "--skip-preview")
    last_created = "core/v1:Namespace::honeydue"
    for attempt in attempts(seconds=60):
        with attempt:
            assert any(last_created in file.read_text() for file in empty.layout.backend.rglob("stacks/**/prod.json"))
    engine.send_signal(signal.SIGINT)
    assert engine.wait(timeout=60) != 0
    empty.pulumi("up", "--yes", "--skip-preview")
    empty.pulumi("preview", "--refresh", "--expect-no-changes")


def test_an_up_imports_what_a_killed_one_created(production: World) -> None:
    """This test must be the last one of the module's world, because it adds a node."""
    before = json.loads(state(production))
    production.set_config("honeydue:nodes.hetzner4.hostname", "ubuntu-8gb-nbg1-4")
    production.pulumi("up", "--yes", "--skip-preview")
    created = cloud_resources(production)
    started = resources(production)[urn(production, "PrimaryIp::hetzner4")]
    # What a killed engine leaves: the state of its last completed step, and the creation that it had started.
    before["checkpoint"]["latest"]["pending_operations"] = [{"resource": started, "type": "creating"}]
    state_file(production).write_text(json.dumps(before))
    failed = production.pulumi("up", "--yes", "--skip-preview", check=False)
    assert "uniqueness_error" in failed.stdout + failed.stderr
    completed = ops(production, "up", "--stack", "prod", "--yes")
    assert completed.returncode == 0, completed.stdout
    assert cloud_resources(production) == created
    assert not json.loads(state(production))["checkpoint"]["latest"].get("pending_operations")
    production.pulumi("preview", "--refresh", "--expect-no-changes")
