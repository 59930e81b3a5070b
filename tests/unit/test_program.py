"""Invariants of every resource that the program registers. They hold for new resources too."""

import itertools
from typing import get_args

import pytest

from infra.names import KUBE_SYSTEM, MONITORING, hostnames
from infra.settings.apps import DERIVED_VARIABLES, SECRET_VARIABLES, App
from infra.settings.secrets import REQUIRED
from infra.settings.traces import ENDPOINT, HEADERS, PROTOCOL, SAMPLER, SAMPLER_ARGUMENT
from rehearsal.plugins import hcloud
from tests.unit.capture import Capture, production_settings, run
from tests.unit.placeholders import PLACEHOLDER
from tests.unit.registrations import SECRET_SIGNATURE, dependencies_of, namespace_of, plain_strings


def test_every_node_host_name_and_app_has_its_resources(program: Capture) -> None:
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
        # No other pod calls worker.
        "Service": deployments - {"worker"},
    }.items():
        resources = [entry for entry in program.resources(kind) if namespace_of(entry) not in (MONITORING, KUBE_SYSTEM)]
        assert {resource.name for resource in resources} == names, kind
    exposed = [rule["host"] for resource in program.resources("Ingress") for rule in resource.inputs["spec"]["rules"]]
    assert sorted(exposed) == sorted(hosts.values())


def test_the_example_cluster_has_three_servers_and_all_apps(example: Capture) -> None:
    for kind, names in {
        "Server": {"hetzner1", "hetzner2", "hetzner3"},
        "Deployment": {"api", "worker", "admin", "web", "redis"},
        "Service": {"api", "admin", "web", "redis"},
        "Ingress": {"honeydue-api", "honeydue-admin", "honeydue-web"},
    }.items():
        assert names <= {resource.name for resource in example.resources(kind)}, kind


def test_every_urn_is_unique(program: Capture) -> None:
    urns = [resource.urn for resource in program.registrations]
    assert len(urns) == len(set(urns))


@pytest.mark.parametrize(
    ("package", "provider"), [("kubernetes", "k3s"), ("hcloud", "hetzner"), ("cloudflare", "cloudflare")]
)
def test_every_resource_uses_an_explicit_provider(program: Capture, package: str, provider: str) -> None:
    resources = [resource for resource in program.registrations if resource.type.startswith(f"{package}:")]
    assert resources
    assert [resource.urn for resource in resources if f"::{provider}::" not in resource.request.provider] == []


def test_every_resource_is_protected_except_jobs_and_ssh_keys(program: Capture) -> None:
    providers = [resource for resource in program.registrations if resource.type.startswith("pulumi:")]
    custom = [resource for resource in program.registrations if resource.request.custom and resource not in providers]
    assert {resource.kind for resource in custom if not resource.request.protect} == {"Job", "SshKey"}


def test_a_name_that_hetzner_accepts_once_is_free_before_its_resource_is_replaced(program: Capture) -> None:
    created_first = {
        kind.type for kind in hcloud.KINDS.values() if kind.dialect == "framework" and kind.auto_named and kind.replaces
    }
    replaced = [resource for resource in program.registrations if resource.type in created_first]
    assert {resource.kind for resource in replaced} == {"PrimaryIp", "SshKey"}
    # The guard rails refuse to replace an address.
    assert {resource.kind for resource in replaced if not resource.request.deleteBeforeReplace} == {"PrimaryIp"}


def test_ignored_properties_are_inputs_of_their_resource(program: Capture) -> None:
    ignoring = [resource for resource in program.registrations if resource.request.ignoreChanges]
    assert ignoring
    undeclared = {
        ("DnsRecord", "comment"),
        ("Network", "exposeRoutesToVswitch"),
    }
    assert {
        (resource.kind, path)
        for resource in ignoring
        for path in resource.request.ignoreChanges
        if path.partition(".")[0] not in resource.inputs
    } == {(kind, path) for kind, path in undeclared if kind in {resource.kind for resource in ignoring}}


def test_servers_ignore_every_property_that_would_replace_them_or_power_them_off(program: Capture) -> None:
    for server in program.resources("Server"):
        assert {"image", "location", "sshKeys", "userData", "placementGroupId", "publicNets"} <= set(
            server.request.ignoreChanges
        )


def test_no_request_contains_a_secret_in_plain_text(program: Capture) -> None:
    values = [PLACEHOLDER + key for key, required in REQUIRED.items() if required.secret]
    leaks = [
        (resource.urn, text)
        for resource in program.registrations
        for text in plain_strings(resource.request.object)
        if any(v in text for v in values)
    ]
    assert leaks == []


def test_every_value_of_a_secret_object_is_marked_as_secret(program: Capture) -> None:
    for secret in program.resources("Secret"):
        data = secret.request.object.fields["stringData"].struct_value
        assert SECRET_SIGNATURE in data.fields or all(
            SECRET_SIGNATURE in value.struct_value.fields for value in data.fields.values()
        ), secret.urn


def test_resources_depend_on_each_other_from_servers_to_ingresses(program: Capture) -> None:
    chain = [
        program.resources("Server")[0],
        program.resource("kubernetes", "k3s"),
        program.resource("Job", "migrate"),
        program.resource("Deployment", "api"),
        program.resource("Service", "api"),
        program.resource("Ingress", "honeydue-api"),
    ]
    for earlier, later in itertools.pairwise(chain):
        assert earlier.urn in dependencies_of(program, later) | {later.request.provider.rpartition("::")[0]}, (
            earlier.name,
            later.name,
        )
    assert chain[0].urn in dependencies_of(program, chain[1])
    assert program.resource("Namespace", "honeydue").urn in dependencies_of(
        program, program.resource("ConfigMap", "honeydue-config")
    )


def test_derived_variables_are_those_that_the_program_adds_to_the_environment(program: Capture) -> None:
    variables = set(program.resource("ConfigMap", "honeydue-config").inputs["data"])
    of_traces = {ENDPOINT, PROTOCOL, SAMPLER, SAMPLER_ARGUMENT} if "honeydue:traces" in program.settings else set()
    assert variables - set(program.settings["honeydue:environment"]) == DERIVED_VARIABLES | of_traces


def test_secret_variables_are_those_of_the_secret_object(program: Capture) -> None:
    of_traces = {HEADERS} if "honeydue:traces" in program.settings else set()
    assert set(program.resource("Secret", "honeydue-secrets").inputs["stringData"]) == SECRET_VARIABLES | of_traces


def test_dns_records_are_proxied_with_automatic_ttl(program: Capture) -> None:
    for record in program.resources("DnsRecord"):
        assert (record.inputs["proxied"], record.inputs["ttl"]) == (True, 1), record.urn
        assert record.inputs["name"].endswith(program.settings["honeydue:domain"]), record.urn


def test_every_host_of_an_ingress_has_tls(program: Capture) -> None:
    for ingress in program.resources("Ingress"):
        hosts = {rule["host"] for rule in ingress.inputs["spec"]["rules"]}
        assert hosts == {host for tls in ingress.inputs["spec"]["tls"] for host in tls["hosts"]}, ingress.urn


def test_the_stack_has_these_outputs_and_kubeconfig_and_tokens_are_secret(program: Capture) -> None:
    of_uptime = {"uptimeStatusToken"} if "honeydue:uptime" in program.settings else set()
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
        *of_uptime,
    }
    assert program.secret_outputs == {"kubeconfig", "joinToken", *of_uptime}


def test_the_output_nodes_has_the_address_of_each_alias(example: Capture) -> None:
    assert example.outputs["nodes"] == {
        "hetzner1": "178.104.247.152",
        "hetzner2": "178.105.32.198",
        "hetzner3": "178.104.249.189",
    }


def test_a_first_preview_succeeds_with_unknown_values() -> None:
    assert len(run(production_settings(), preview=True).registrations) > 60
