"""`adopt` imports a brownfield cluster and changes nothing; the next `up` replaces no resource and loses no data."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hcloud.images import Image
from hcloud.server_types import ServerType

from infra.names import MONITORING
from ops import stackfile
from ops.plan import Plan
from rehearsal.clouds import console
from rehearsal.world.world import World
from tests.rehearsal.clouds import CloudResources, addresses, cloud_resources, delete_server
from tests.rehearsal.cluster import NAMESPACE, all_objects, items, record_option
from tests.rehearsal.operator import announced_restarts, ops, press_ctrl_c, start_ops
from tests.rehearsal.rollout_watch import RolloutWatch
from tests.rehearsal.templates import BROWNFIELD, enable_monitoring
from tests.retry import attempts

VMAGENT = "victoriametrics/vmagent:v1.102.1"


def plan(world: World) -> Plan:
    return Plan.read(world.pulumi("preview", "--json", "--show-sames", "--ignore-protect").stdout)


def state_ids(world: World) -> Mapping[str, str]:
    """The ID of each resource in the state, by URN."""
    resources = json.loads(world.pulumi("stack", "export").stdout)["deployment"].get("resources", [])
    return {
        resource["urn"]: resource["id"]
        for resource in resources
        if "id" in resource and "pulumi:providers" not in resource["urn"]
    }


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """A world after `adopt`, its output, and the resources before it."""

    world: World
    output: str
    watch: RolloutWatch
    objects: Mapping[str, tuple[str, str]]
    clouds: CloudResources


@pytest.fixture(scope="module")
def adopted(brownfield_world: World) -> Adoption:
    server = console.hetzner(brownfield_world.layout.clouds).servers.get_by_name("ubuntu-8gb-nbg1-1")
    assert server is not None
    server.enable_backup().wait_until_finished()
    server.update(labels={"team": "web"})
    # The deployment book names vmagent without its namespace.
    brownfield_world.kubectl("create", "namespace", MONITORING)
    for namespace, name in {NAMESPACE: "vmagent", "default": "vmagent", MONITORING: "agent"}.items():
        brownfield_world.kubectl("create", "deployment", name, f"--image={VMAGENT}", "-n", namespace)
        brownfield_world.kubectl("rollout", "status", f"deployment/{name}", "-n", namespace, "--timeout=60s")
    record_option(brownfield_world, "--embedded-registry")
    enable_monitoring(brownfield_world, "https://obs.88oakapps.com")
    objects, clouds = all_objects(brownfield_world), cloud_resources(brownfield_world)
    with RolloutWatch(brownfield_world) as watch:
        output = brownfield_world.adopt(env={"COLUMNS": "400"}).stdout
    return Adoption(world=brownfield_world, output=output, watch=watch, objects=objects, clouds=clouds)


def test_adoption_changes_nothing_in_the_cluster_and_in_the_clouds(adopted: Adoption) -> None:
    assert all_objects(adopted.world) == adopted.objects
    assert cloud_resources(adopted.world) == adopted.clouds
    assert (adopted.watch.minimum_ready, adopted.watch.restarted) == (3, set())


def test_the_table_contains_every_resource_and_the_state_every_existing_one(adopted: Adoption) -> None:
    assert "0 ambiguous · 52 found" in adopted.output
    for line in (
        "Deployment::api found keeps its selector",
        "Namespace::monitoring found",
        "ZoneSetting::ssl found is strict",
        "Firewall::honeydue missing",
    ):
        assert line in " ".join(adopted.output.split())
    assert "the old certificate stays valid until it is revoked" in adopted.output
    assert "PodDisruptionBudget api-pdb" in adopted.output
    assert len(state_ids(adopted.world)) == 52


def test_undeclared_workloads_that_the_next_up_affects_are_named(adopted: Adoption) -> None:
    _, _, among_apps = adopted.output.partition("  Deployment honeydue/vmagent\n")
    _, _, in_default = adopted.output.partition("  Deployment default/vmagent\n")
    _, _, in_monitoring = adopted.output.partition("  Deployment monitoring/agent\n")
    assert f"honeydue-pods does not admit image {VMAGENT}" in among_apps
    assert f"monitoring-pods does not admit image {VMAGENT}" in in_monitoring
    for lines in (among_apps, in_default, in_monitoring):
        assert "Pod Security restricted does not admit" in lines
        assert "opens no connection and accepts no connection" in lines
    assert "Deployment kube-system/" not in adopted.output
    assert "admin: its egress to port 443 stays open" in adopted.output


def test_metrics_agents_that_run_already_are_named_with_the_command_that_removes_each(adopted: Adoption) -> None:
    _, _, agents = adopted.output.partition("These metrics agents run already.")
    for namespace, writes in ((NAMESPACE, "may write"), ("default", "may write"), ("observability", "writes")):
        assert f"Deployment {namespace}/vmagent {writes} to the same URL" in agents
        assert f"To remove it: kubectl -n {namespace} delete deployment vmagent" in agents


def test_the_warning_of_the_engine_about_primary_ips_is_explained_before_the_import(adopted: Adoption) -> None:
    explanation, first_warning = (
        adopted.output.index(text)
        for text in ("Ignore this warning.", "One or more imported inputs failed to validate")
    )
    assert explanation < first_warning


def test_immutable_fields_are_recorded_in_the_settings(adopted: Adoption) -> None:
    recorded = stackfile.load(adopted.world.layout.config)["config"]["honeydue:adopted"]
    assert recorded["selectors"] == {
        app: {"app": f"honeydue-{app}"} for app in ("api", "worker", "admin", "web", "redis")
    }
    services = {
        service["metadata"]["name"]: service["spec"]["clusterIP"] for service in items(adopted.world, "services")
    }
    assert recorded["clusterIps"] == services
    (claim,) = items(adopted.world, "persistentvolumeclaims")
    assert recorded["volumes"]["redis"]["volume"] == claim["spec"]["volumeName"]


def test_the_options_of_the_running_servers_are_recorded_in_the_settings(adopted: Adoption) -> None:
    assert stackfile.load(adopted.world.layout.config)["config"]["honeydue:cluster"]["embeddedRegistry"] is True
    assert "honeydue:cluster.embeddedRegistry: true" in adopted.output
    assert adopted.output.count("honeydue:cluster.") == 1, "another option differs from the settings"


def test_traefik_does_not_require_the_client_certificate_that_the_first_up_uploads(adopted: Adoption) -> None:
    edge = stackfile.load(adopted.world.layout.config)["config"]["honeydue:edge"]
    assert edge["clientCertificate"] == "requested"
    assert "honeydue:edge.clientCertificate: requested" in adopted.output


def test_no_secret_is_in_the_state_or_in_the_output(adopted: Adoption) -> None:
    world = adopted.world
    values = json.loads(world.pulumi("config", "--show-secrets", "--json").stdout)
    secrets = [entry["value"] for entry in values.values() if entry["secret"] and len(entry.get("value", "")) > 7]
    for secret in items(world, "secrets"):
        secrets += [base64.b64decode(value).decode() for value in secret["data"].values()] + list(
            secret["data"].values()
        )
    assert len(secrets) >= 24
    texts = adopted.output + "".join(file.read_text() for file in world.layout.backend.rglob("*.json"))
    assert [secret[:12] for secret in secrets if secret in texts or json.dumps(secret)[1:-1] in texts] == []


def test_a_second_adoption_imports_nothing(adopted: Adoption) -> None:
    before = adopted.world.pulumi("stack", "export").stdout
    assert "Nothing to adopt: every existing resource is in the stack." in adopted.world.adopt().stdout
    assert json.loads(adopted.world.pulumi("stack", "export").stdout)["deployment"] == json.loads(before)["deployment"]
    assert all_objects(adopted.world) == adopted.objects


def test_kubectl_manages_no_field_of_an_adopted_object(adopted: Adoption) -> None:
    kinds = "deployments,services,configmaps,ingresses,horizontalpodautoscalers,secrets"
    adopted_ids = state_ids(adopted.world).values()
    managers = {
        entry["manager"]
        for manifest in adopted.world.kubectl_json("get", kinds, "-n", NAMESPACE, "--show-managed-fields")["items"]
        if f"honeydue/{manifest['metadata']['name']}" in adopted_ids
        for entry in manifest["metadata"]["managedFields"]
    }
    assert {manager for manager in managers if manager.startswith("kubectl")} == set()


def test_the_next_plan_replaces_nothing_and_passes_the_guard_rails(adopted: Adoption) -> None:
    planned = plan(adopted.world)
    assert [step.short for step in planned.changes if step.deletes] == []
    assert {step.urn for step in planned.changes if step.op == "create"} & state_ids(adopted.world).keys() == set()
    preview = ops(adopted.world, "preview", "--stack", "prod")
    assert preview.returncode == 0, preview.stdout
    adopted.world.set_config("honeydue:edge.clientCertificate", "required")
    refused = ops(adopted.world, "preview", "--stack", "prod")
    adopted.world.set_config("honeydue:edge.clientCertificate", "requested")
    assert refused.returncode == 1
    assert "TLSOption::default would require a client certificate that nobody has seen" in refused.stdout


def test_keys_that_the_next_up_removes_are_listed(adopted: Adoption) -> None:
    assert "ConfigMap::honeydue-config: DB_MAX_OPEN_CONNS" in adopted.output
    assert "Secret::honeydue-apns-key: apns_auth_key.p8" in adopted.output


# The tests with this fixture must be the last ones with this world, because it changes the adopted resources.
@pytest.fixture(scope="module")
def first_up(adopted: Adoption) -> RolloutWatch:
    with RolloutWatch(adopted.world) as watch:
        adopted.world.pulumi("up", "--yes", "--skip-preview")
    return watch


def test_the_first_up_restarts_the_announced_workloads_and_keeps_all_data(
    adopted: Adoption, first_up: RolloutWatch
) -> None:
    world, watch = adopted.world, first_up
    assert watch.minimum_ready >= 2
    assert watch.restarted == announced_restarts(adopted.output) == {"api", "worker", "admin", "web", "redis"}
    assert watch.before.claims == watch.after.claims
    resources = cloud_resources(world)
    assert addresses(resources) == addresses(adopted.clouds)
    assert resources["servers"].keys() == adopted.clouds["servers"].keys()
    assert resources["dns_records"] == adopted.clouds["dns_records"]
    assert resources["images"] == adopted.clouds["images"]
    assert [server["labels"] for server in resources["servers"].values()].count({"team": "web"}) == 1
    world.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    world.pulumi("preview", "--refresh", "--expect-no-changes")
    # Only undeclared objects of the old cluster differ: "Service legacy" and not "Service::api".
    drift = ops(world, "drift", "--stack", "prod").stdout
    assert "PodDisruptionBudget api-pdb" in drift
    assert "::" not in drift
    assert "Nothing to adopt" in world.adopt().stdout
    # Beside the agents of the program, which the policies of the namespace are for.
    agent = world.kubectl_json("get", "deployment", "agent", "-n", MONITORING)
    assert agent["status"]["readyReplicas"] == 1
    assert world.kubectl_json("get", "daemonset", "vmagent", "-n", MONITORING)["status"]["numberReady"] == 3


@pytest.mark.usefixtures("first_up")
def test_settings_that_would_cut_off_adopted_nodes_are_refused(adopted: Adoption) -> None:
    world = adopted.world
    settings = world.layout.config.read_text()

    def refusal(**changes: object) -> str:
        for path, value in changes.items():
            world.set_config(f"honeydue:{path}", value)
        result = ops(world, "preview", "--stack", "prod")
        world.layout.config.write_text(settings)
        assert result.returncode == 1, result.stdout
        return result.stdout

    output = refusal(**{"access.sshPort": 2222, "cluster.flannelBackend": "wireguard-native"})
    assert "Firewall::honeydue would close tcp 22 (SSH from operators) to everybody" in output
    cut = "hetzner1 (178.104.247.152), hetzner2 (178.105.32.198), hetzner3 (178.104.249.189)"
    assert f"Firewall::honeydue would close udp 8472 (Flannel vxlan between nodes) to {cut}" in output
    assert "honeydue:access.sshPort would change from 22 to 2222" in output
    assert "honeydue:cluster.flannelBackend would change from vxlan to wireguard-native" in output

    addresses = {f"nodes.hetzner{number}.privateIpv4": f"10.0.0.1{number}" for number in (1, 2, 3)}
    output = refusal(**{"cluster.network": "private", **addresses})
    for port in ("tcp 2379-2380 (etcd", "tcp 10250 (kubelet", "udp 8472 (Flannel vxlan"):
        assert f"Firewall::honeydue would close {port} between nodes) to {cut}" in output
    assert "honeydue:cluster.network would change from public to private" in output


@pytest.fixture
def other_brownfield(tmp_path: Path) -> Iterator[World]:
    with BROWNFIELD.clone(tmp_path / "brownfield") as world:
        yield world


def test_an_ambiguous_server_stops_the_adoption_and_an_interrupted_one_can_be_repeated(other_brownfield: World) -> None:
    world = other_brownfield
    # Two servers match: one by its name, the other by its address.
    client = console.hetzner(world.layout.clouds)
    server = client.servers.get_by_name("ubuntu-8gb-nbg1-2")
    assert server is not None
    server.update(name="renamed")
    client.servers.create(
        name="ubuntu-8gb-nbg1-2", server_type=ServerType(name="cx33"), image=Image(name="ubuntu-24.04")
    ).action.wait_until_finished()
    stopped = world.adopt(check=False, env={"COLUMNS": "400"})
    assert stopped.returncode != 0
    assert "Server::hetzner1 ambiguous" in " ".join(stopped.stdout.split())
    assert "1 ambiguous, as shown above. Nothing was changed" in stopped.stdout
    assert state_ids(world) == {}
    assert "honeydue:adopted" not in stackfile.load(world.layout.config)["config"]
    delete_server(world, "ubuntu-8gb-nbg1-2")

    process = start_ops(world, "adopt", "--stack", "prod", "--yes")
    for attempt in attempts(seconds=120):
        with attempt:
            assert any(
                "primaryIp:PrimaryIp::" in file.read_text()
                for file in world.layout.backend.rglob("stacks/**/prod.json")
            )
    output = press_ctrl_c(process)
    assert process.returncode != 0
    assert "Resources that it imported stay imported; run the command again" in output
    assert "Traceback" not in output
    imported = state_ids(world)
    assert 0 < len(imported) < 51

    objects = all_objects(world)
    assert "Import complete." in world.adopt().stdout
    assert imported.items() <= state_ids(world).items()
    assert len(state_ids(world)) == 51
    assert all_objects(world) == objects
    assert [step.short for step in plan(world).changes if step.deletes] == []
