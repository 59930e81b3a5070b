"""Promises about every resource of the program: a new one that breaks a promise is caught without a new test."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest
from google.protobuf.struct_pb2 import Struct, Value

from infra.edge.zone import hostnames
from infra.settings.apps import DERIVED_VARIABLES, SECRET_VARIABLES, App
from infra.settings.secrets import REQUIRED
from tests.unit.capture import PLACEHOLDER, Capture, Registration, production_settings, run

SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d"


def pods(program: Capture) -> Iterator[tuple[Registration, Mapping[str, Any]]]:
    """Every pod template of every resource, whatever its kind."""
    for one in program.registrations:
        template = (one.inputs.get("spec") or {}).get("template") if isinstance(one.inputs.get("spec"), dict) else None
        if template:
            yield one, template


def containers(program: Capture) -> Iterator[tuple[Registration, Mapping[str, Any]]]:
    for one, template in pods(program):
        for container in template["spec"]["containers"] + template["spec"].get("initContainers", []):
            yield one, container


def reached(program: Capture, start: Registration) -> set[str]:
    """URNs that must stand before this one, directly or not."""
    known = {one.urn: one for one in program.registrations}
    seen: set[str] = set()
    todo = list(start.request.dependencies)
    while todo:
        urn = todo.pop()
        if urn not in seen:
            seen.add(urn)
            todo += known[urn].request.dependencies if urn in known else []
    return seen


def plain_strings(value: Value | Struct) -> Iterator[str]:
    """Every string of a request that is not inside a secret."""
    if isinstance(value, Struct):
        if SECRET_SIGNATURE not in value.fields:
            for key, one in value.fields.items():
                yield key
                yield from plain_strings(one)
        return
    match value.WhichOneof("kind"):
        case "string_value":
            yield value.string_value
        case "struct_value":
            yield from plain_strings(value.struct_value)
        case "list_value":
            for one in value.list_value.values:
                yield from plain_strings(one)


def test_the_whole_cluster_is_declared(program: Capture) -> None:
    nodes = set(program.settings["honeydue:nodes"])
    hosts = hostnames(program.settings["honeydue:domain"])
    deployments = {*get_args(App), "redis"}
    for kind, names in {
        "Server": nodes,
        "PrimaryIp": nodes,
        "Firewall": {"honeydue"},
        "DnsRecord": {f"{host}-{node}" for host in hosts for node in nodes},
        "Deployment": deployments,
        "Job": {"migrate"},
        # Whatever is called by others.
        "Service": deployments - {"worker"},
    }.items():
        assert {one.name for one in program.of(kind)} == names, kind
    routed = [rule["host"] for one in program.of("Ingress") for rule in one.inputs["spec"]["rules"]]
    assert sorted(routed) == sorted(hosts.values())


def test_the_cluster_of_the_book_is_this_large(example: Capture) -> None:
    for kind, names in {
        "Server": {"hetzner1", "hetzner2", "hetzner3"},
        "Deployment": {"api", "worker", "admin", "web", "redis"},
        "Service": {"api", "admin", "web", "redis"},
        "Ingress": {"honeydue-api", "honeydue-admin", "honeydue-web"},
    }.items():
        assert names <= {one.name for one in example.of(kind)}, kind


def test_no_urn_is_registered_twice(program: Capture) -> None:
    urns = [one.urn for one in program.registrations]
    assert len(urns) == len(set(urns))


@pytest.mark.parametrize(
    ("package", "provider"), [("kubernetes", "k3s"), ("hcloud", "hetzner"), ("cloudflare", "cloudflare")]
)
def test_every_resource_names_its_provider(program: Capture, package: str, provider: str) -> None:
    found = [one for one in program.registrations if one.type.startswith(f"{package}:")]
    assert found
    assert [one.urn for one in found if f"::{provider}::" not in one.request.provider] == []


def test_all_is_protected_but_what_is_meant_to_be_replaced(program: Capture) -> None:
    providers = [one for one in program.registrations if one.type.startswith("pulumi:")]
    rest = [one for one in program.registrations if one.request.custom and one not in providers]
    assert {one.kind for one in rest if not one.request.protect} == {"Job", "SshKey"}


def test_ignored_properties_exist_under_the_name_the_engine_uses(program: Capture) -> None:
    ignoring = [one for one in program.registrations if one.request.ignoreChanges]
    assert ignoring
    assert [
        (one.urn, path)
        for one in ignoring
        for path in one.request.ignoreChanges
        if path.partition(".")[0] not in one.inputs
    ] == []


def test_servers_ignore_all_that_would_replace_them_or_power_them_off(program: Capture) -> None:
    for server in program.of("Server"):
        assert {"image", "location", "sshKeys", "userData", "placementGroupId", "publicNets"} <= set(
            server.request.ignoreChanges
        )


def test_no_secret_stands_in_plain_text(program: Capture) -> None:
    values = [PLACEHOLDER + key for key, required in REQUIRED.items() if required.secret]
    leaks = [
        (one.urn, text)
        for one in program.registrations
        for text in plain_strings(one.request.object)
        if any(v in text for v in values)
    ]
    assert leaks == []


def test_every_secret_object_holds_secrets_only(program: Capture) -> None:
    for secret in program.of("Secret"):
        held = secret.request.object.fields["stringData"].struct_value
        assert SECRET_SIGNATURE in held.fields or all(
            SECRET_SIGNATURE in one.struct_value.fields for one in held.fields.values()
        ), secret.urn


def test_every_container_meets_pod_security_restricted(program: Capture) -> None:
    for one, template in pods(program):
        security = template["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True, one.urn
        assert security["runAsUser"] > 0, one.urn
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, one.urn
        assert template["spec"]["automountServiceAccountToken"] is False, one.urn
    for one, container in containers(program):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False, one.urn
        assert security["readOnlyRootFilesystem"] is True, one.urn
        assert security["capabilities"] == {"drop": ["ALL"]}, one.urn


def test_every_container_has_requests_and_limits(program: Capture) -> None:
    for one, container in containers(program):
        for bound in ("requests", "limits"):
            assert container["resources"][bound].keys() >= {"cpu", "memory", "ephemeral-storage"}, one.urn


def test_every_image_is_pinned_and_ours_or_redis(program: Capture) -> None:
    images = program.settings["honeydue:images"]
    ours = images["registry"] + "/"
    for one, container in containers(program):
        name, _, tag = container["image"].rpartition(":")
        assert tag not in {"", "latest"}, one.urn
        assert name.startswith(ours) or container["image"] == images["redis"], one.urn


def test_every_reference_of_a_pod_is_declared_and_comes_first(program: Capture) -> None:
    declared = {
        (one.kind, one.inputs["metadata"]["name"]): one.urn
        for one in program.registrations
        if "name" in one.inputs.get("metadata", {})
    }
    for one, template in pods(program):
        spec = template["spec"]
        wanted = {("ServiceAccount", spec["serviceAccountName"])}
        wanted |= {("Secret", secret["name"]) for secret in spec["imagePullSecrets"]}
        for volume in spec.get("volumes", []):
            if "secret" in volume:
                wanted.add(("Secret", volume["secret"]["secretName"]))
            if "persistentVolumeClaim" in volume:
                wanted.add(("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]))
        for container in spec["containers"]:
            for source in container.get("envFrom", []):
                wanted |= {("ConfigMap", ref["name"]) for key, ref in source.items() if key == "configMapRef"}
                wanted |= {("Secret", ref["name"]) for key, ref in source.items() if key == "secretRef"}
            for variable in container.get("env", []):
                for key, ref in variable.get("valueFrom", {}).items():
                    wanted.add(("Secret" if key == "secretKeyRef" else "ConfigMap", ref["name"]))
        first = reached(program, one)
        assert [what for what in wanted if declared.get(what) not in first] == [], one.urn


def test_every_service_selects_one_workload_and_a_port_it_declares(program: Capture) -> None:
    for service in program.of("Service"):
        selector = service.inputs["spec"]["selector"]
        chosen = [
            template for _, template in pods(program) if selector.items() <= template["metadata"]["labels"].items()
        ]
        assert len(chosen) == 1, service.urn
        ports = {port["name"] for container in chosen[0]["spec"]["containers"] for port in container["ports"]}
        assert {port["targetPort"] for port in service.inputs["spec"]["ports"]} <= ports, service.urn


def test_every_deployment_has_a_disruption_budget_of_its_own(program: Capture) -> None:
    budgets = [one.inputs["spec"]["selector"]["matchLabels"] for one in program.of("PodDisruptionBudget")]
    for deployment in program.of("Deployment"):
        assert budgets.count(deployment.inputs["spec"]["selector"]["matchLabels"]) == 1, deployment.urn


def test_a_deployment_names_its_replicas_or_has_an_autoscaler(program: Capture) -> None:
    scaled = {one.inputs["spec"]["scaleTargetRef"]["name"] for one in program.of("HorizontalPodAutoscaler")}
    for deployment in program.of("Deployment"):
        assert ("replicas" in deployment.inputs["spec"]) != (deployment.name in scaled), deployment.urn


def test_every_node_has_a_coredns(program: Capture) -> None:
    spec = program.one("HorizontalPodAutoscaler", "coredns").inputs["spec"]
    assert spec["minReplicas"] == spec["maxReplicas"] == len(program.of("Server"))


@pytest.mark.parametrize("app", ["api", "worker"])
def test_apps_that_need_the_schema_wait_for_the_job_itself(program: Capture, app: str) -> None:
    assert program.one("Job", "migrate").urn in program.one("Deployment", app).request.dependencies


def test_everything_comes_in_its_order(program: Capture) -> None:
    chain = [
        program.of("Server")[0],
        program.one("kubernetes", "k3s"),
        program.one("Job", "migrate"),
        program.one("Deployment", "api"),
        program.one("Service", "api"),
        program.one("Ingress", "honeydue-api"),
    ]
    for earlier, later in itertools.pairwise(chain):
        assert earlier.urn in reached(program, later) | {later.request.provider.rpartition("::")[0]}, (
            earlier.name,
            later.name,
        )
    assert chain[0].urn in reached(program, chain[1])
    assert program.one("Namespace", "honeydue").urn in reached(program, program.one("ConfigMap", "honeydue-config"))


def test_what_guards_a_pod_stands_before_it(program: Capture) -> None:
    guards = {
        one.urn
        for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
        for one in program.of(kind)
    }
    guards.add(program.one("NetworkPolicy", "honeydue-default-deny").urn)
    for one, template in pods(program):
        # By its selector and not by its name: what was adopted keeps labels of its own.
        labels = template["metadata"]["labels"].items()
        selectors = {
            policy.urn: policy.inputs["spec"]["podSelector"].get("matchLabels", {})
            for policy in program.of("NetworkPolicy")
        }
        own = {urn for urn, selector in selectors.items() if selector and selector.items() <= labels}
        assert len(own) == 1, one.urn
        assert guards | own <= reached(program, one), one.urn


def test_the_migration_is_no_pod_of_any_service_or_deployment(program: Capture) -> None:
    labels = program.one("Job", "migrate").inputs["spec"]["template"]["metadata"]["labels"].items()
    for one in program.of("Service"):
        assert not one.inputs["spec"]["selector"].items() <= labels, one.urn
    for one in program.of("Deployment"):
        assert not one.inputs["spec"]["selector"]["matchLabels"].items() <= labels, one.urn


def test_the_migration_text_changes_with_the_image_alone(program: Capture) -> None:
    database = {**program.settings["honeydue:database"], "endpoint": "direct", "name": "other"}
    assert (
        run({**program.settings, "honeydue:database": database}).one("Job", "migrate").inputs["spec"]
        == program.one("Job", "migrate").inputs["spec"]
    )


def test_the_migration_connects_to_the_direct_host_and_the_backend_to_the_pooler(example: Capture) -> None:
    config = example.one("ConfigMap", "honeydue-config").inputs["data"]
    (container,) = example.one("Job", "migrate").inputs["spec"]["template"]["spec"]["containers"]
    (host,) = (
        variable["valueFrom"]["configMapKeyRef"] for variable in container["env"] if variable["name"] == "PGHOST"
    )
    assert host["name"] == "honeydue-config"
    assert config[host["key"]] == "ep-floral-truth-amttbc5a.c-5.us-east-1.aws.neon.tech"
    assert config["DB_HOST"] == "ep-floral-truth-amttbc5a-pooler.c-5.us-east-1.aws.neon.tech"


def test_the_settings_know_which_variables_the_program_derives(program: Capture) -> None:
    held = set(program.one("ConfigMap", "honeydue-config").inputs["data"])
    assert held - set(program.settings["honeydue:environment"]) == DERIVED_VARIABLES


def test_the_settings_know_which_variables_are_secret(program: Capture) -> None:
    assert set(program.one("Secret", "honeydue-secrets").inputs["stringData"]) == SECRET_VARIABLES


def test_records_are_proxied_with_the_one_ttl_that_goes_with_it(program: Capture) -> None:
    for record in program.of("DnsRecord"):
        assert (record.inputs["proxied"], record.inputs["ttl"]) == (True, 1), record.urn
        assert record.inputs["name"].endswith(program.settings["honeydue:domain"]), record.urn


def test_all_ingresses_have_tls(program: Capture) -> None:
    for ingress in program.of("Ingress"):
        hosts = {rule["host"] for rule in ingress.inputs["spec"]["rules"]}
        assert hosts == {host for tls in ingress.inputs["spec"]["tls"] for host in tls["hosts"]}, ingress.urn


def test_outputs_are_these_and_the_kubeconfig_is_secret(program: Capture) -> None:
    assert program.outputs.keys() == {
        "nodes",
        "sshConfig",
        "kubeconfig",
        "joinToken",
        "urls",
        "firewallId",
        "cloudflareRanges",
        "originCertificateExpiry",
        "images",
        "monthlyCost",
    }
    assert program.secret_outputs == {"kubeconfig", "joinToken"}


def test_the_nodes_are_told_by_alias(example: Capture) -> None:
    assert example.outputs["nodes"] == {
        "hetzner1": "178.104.247.152",
        "hetzner2": "178.105.32.198",
        "hetzner3": "178.104.249.189",
    }


def test_a_first_preview_copes_with_unknown_values() -> None:
    assert len(run(production_settings(), preview=True).registrations) > 60
