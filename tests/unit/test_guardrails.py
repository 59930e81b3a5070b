"""The guard rails: for each rule a plan that breaks it and one that does not. The program breaks none."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from infra.names import DELETION_HOOK
from ops.guardrails.rules import UNPROTECTED, check, missing
from ops.guardrails.summary import refusal
from ops.plan import Plan, short_name
from ops.resource_types import DEPLOYMENT, PRIMARY_IP, SERVER
from tests.unit.capture import Capture, Registration
from tests.unit.plans import CONFIG_MAP, JOB, SECRET, plan, step, urn
from tests.unit.registrations import masked

RECORDED = Path(__file__).parent / "recorded" / "plan.json"
IMAGE = "registry/honeydue-api:1"
CERTIFICATE = "cloudflare:index/originCaCertificate:OriginCaCertificate"


def workload(name: str, *, image: str = IMAGE, depends_on: tuple[str, ...] = (), **spec: Any) -> dict[str, Any]:
    """The new state of a Deployment or Job."""
    rolling = {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    template = {"spec": {"containers": [{"name": name, "image": image}]}}
    return {"inputs": {"spec": {"strategy": rolling, "template": template, **spec}}, "dependencies": list(depends_on)}


def violations(planned: Plan, **options: Any) -> set[tuple[str, str]]:
    return {(violation.rule, violation.resource) for violation in check(planned, **options)}


def creation(resource: Registration, *, protect: bool) -> dict[str, Any]:
    """The step of a plan that creates a resource of the program."""
    # The SDK marks the whole spec of a Deployment as secret, because it contains a secret checksum. The provider then
    # marks only the checksum.
    inputs = resource.inputs if resource.kind == "Deployment" else masked(resource.request.object)
    request = resource.request
    new = {
        "urn": resource.urn,
        "type": resource.type,
        "custom": request.custom,
        "protect": protect,
        "dependencies": list(request.dependencies),
    }
    return {"op": "create", "urn": resource.urn, "newState": new | {"inputs": inputs}}


def test_a_plan_that_creates_the_program_breaks_no_rule(program: Capture) -> None:
    assert (
        check(plan(*[creation(resource, protect=resource.request.protect) for resource in program.registrations])) == []
    )


def test_every_resource_except_those_of_unprotected_types_must_be_protected(program: Capture) -> None:
    violated = check(plan(*[creation(resource, protect=False) for resource in program.registrations]))
    custom = [
        resource
        for resource in program.registrations
        if resource.request.custom and not resource.type.startswith("pulumi:")
    ]
    assert {violation.resource for violation in violated} == {
        short_name(resource.urn) for resource in custom if resource.type not in UNPROTECTED
    }


def test_every_short_name_is_unique(program: Capture) -> None:
    names = Counter(short_name(resource.urn) for resource in program.registrations if resource.request.custom)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("op", ["delete", "replace", "delete-replaced", "create-replacement"])
@pytest.mark.parametrize(
    "kind",
    [
        SERVER,
        PRIMARY_IP,
        "cloudflare:index/dnsRecord:DnsRecord",
        CERTIFICATE,
        "kubernetes:core/v1:PersistentVolumeClaim",
        "kubernetes:core/v1:Namespace",
        "kubernetes:networking.k8s.io/v1:Ingress",
    ],
)
def test_a_deletion_is_refused_even_if_the_resource_is_not_protected(op: str, kind: str) -> None:
    name = f"{kind.rsplit(':', 1)[-1]}::example"
    for protected in (True, False):
        planned = plan(step(op, kind, "example", changed=("location",), old={"protect": protected}))
        (violation,) = check(planned)
        assert (violation.rule, violation.resource) == ("no_deletion", name)
        refused = {("no_deletion", name)} if kind == PRIMARY_IP and op != "delete" else set()
        assert violations(planned, allow_delete=[name]) == refused
    assert check(plan(step("update", kind, "example"))) == []


def test_a_refused_deletion_has_the_resource_the_reason_and_the_command_to_confirm_it() -> None:
    (violation,) = check(plan(step("replace", CERTIFICATE, "origin", changed=("hostnames",))))
    assert violation.resource == "OriginCaCertificate::origin"
    assert "replaced, because hostnames changed" in violation.reason
    assert violation.fix.endswith('make up STACK=prod ALLOW_DELETE="OriginCaCertificate::origin"')


def test_a_moved_address_is_refused_with_the_way_even_if_it_is_confirmed() -> None:
    moved = plan(step("replace", PRIMARY_IP, "hetzner1", changed=("location",)))
    for allow_delete in ([], ["PrimaryIp::hetzner1"]):
        (violation,) = check(moved, allow_delete=allow_delete)
        assert "replaced, because location changed" in violation.reason
        assert "add one with a new alias, then remove this one" in violation.fix
        assert "ALLOW_DELETE" not in violation.fix


def test_a_replacement_of_an_unprotected_type_is_allowed() -> None:
    assert (
        check(plan(*[step("replace", kind, "example", old={"protect": False}, protect=False) for kind in UNPROTECTED]))
        == []
    )


def test_deleting_a_component_or_provider_is_allowed() -> None:
    component = step("delete", "honeydue:machines:Firewall", "firewall", old={"custom": False})
    assert check(plan(component, step("delete", "pulumi:providers:hcloud", "hetzner"))) == []


@pytest.mark.parametrize("op", ["same", "update", "create"])
def test_confirming_the_deletion_of_a_resource_that_the_plan_keeps_is_refused(op: str) -> None:
    planned = plan(step("delete", SERVER, "hetzner3"), step(op, SERVER, "hetzner2"))
    assert violations(planned, allow_delete=["Server::hetzner2"]) == {
        ("check", "Server::hetzner2"),
        ("no_deletion", "Server::hetzner3"),
    }


def test_a_confirmed_resource_that_was_already_deleted_is_no_mistake() -> None:
    # The refresh of a server that no longer exists is a step, too.
    planned = plan(step("delete", PRIMARY_IP, "hetzner3"), step("refresh", SERVER, "hetzner3"))
    confirmed = ["PrimaryIp::hetzner3", "Server::hetzner3", "DnsRecord::api-hetzner3"]
    assert violations(planned, allow_delete=confirmed) == set()
    assert missing(planned, confirmed) == ["Server::hetzner3", "DnsRecord::api-hetzner3"]
    assert violations(planned, allow_delete=confirmed[1:]) == {("no_deletion", "PrimaryIp::hetzner3")}


@pytest.mark.parametrize(("kind", "op"), [(SERVER, "delete"), (SERVER, "replace"), (PRIMARY_IP, "delete")])
def test_a_deletion_that_hetzner_would_refuse_cannot_be_confirmed(kind: str, op: str) -> None:
    name = f"{kind.rpartition(':')[2]}::hetzner3"
    protected: dict[str, Any]
    for protected in ({"inputs": {"deleteProtection": True}}, {"outputs": {"deleteProtection": True}}):
        for hooks in ({}, {"BeforeDelete": ["another"]}, {"AfterDelete": [DELETION_HOOK]}):
            unprepared = step(op, kind, "hetzner3", old={**protected, "resourceHooks": hooks})
            assert violations(plan(unprepared), allow_delete=[name]) == {("has_deletion_hook", name)}
            assert ("has_deletion_hook", name) in violations(plan(unprepared, replacing="hetzner3"))
        prepared = step(op, kind, "hetzner3", old={**protected, "resourceHooks": {"BeforeDelete": [DELETION_HOOK]}})
        assert violations(plan(prepared), allow_delete=[name]) == set()
    unlocked = step(op, kind, "hetzner3", old={"inputs": {"deleteProtection": False}})
    assert violations(plan(unlocked), allow_delete=[name]) == set()


def test_the_setting_replacing_allows_the_replacement_of_only_that_server() -> None:
    replacement = step("replace", SERVER, "hetzner2", protect=False)
    assert check(plan(replacement, replacing="hetzner2")) == []
    assert violations(plan(replacement, replacing="hetzner1")) == {
        ("no_deletion", "Server::hetzner2"),
        ("stays_protected", "Server::hetzner2"),
    }
    assert violations(plan(step("delete", SERVER, "hetzner2"), replacing="hetzner2")) == {
        ("no_deletion", "Server::hetzner2")
    }
    address = step("replace", "hcloud:index/primaryIp:PrimaryIp", "hetzner2")
    assert violations(plan(address, replacing="hetzner2")) == {("no_deletion", "PrimaryIp::hetzner2")}


def test_removing_the_protection_of_a_resource_is_refused() -> None:
    unprotected = step("same", "hcloud:index/firewall:Firewall", "honeydue", protect=False)
    assert violations(plan(unprotected)) == {("stays_protected", "Firewall::honeydue")}
    assert check(plan(step("same", "hcloud:index/firewall:Firewall", "honeydue", old={"protect": False}))) == []


@pytest.mark.parametrize(
    "second",
    [
        step("update", SERVER, "hetzner2", changed=("serverType",)),
        step("update", SERVER, "hetzner2", changed=("publicNets[0].ipv4",)),
        step("delete", SERVER, "hetzner2"),
    ],
)
def test_only_one_server_may_stop_at_a_time_even_if_confirmed(second: dict[str, Any]) -> None:
    first = step("replace", SERVER, "hetzner1")
    both = {("one_server_at_a_time", f"Server::hetzner{number}") for number in (1, 2)}
    allowed = [violation.resource for violation in check(plan(first, second)) if violation.confirmable]
    assert violations(plan(first, second), allow_delete=allowed) == both
    assert violations(plan(second, step("update", SERVER, "hetzner3", changed=("labels",)))) <= {
        ("no_deletion", "Server::hetzner2")
    }


@pytest.mark.parametrize("name", ["api", "worker"])
def test_apps_that_use_the_database_must_depend_on_the_migration(name: str) -> None:
    job = step("replace", JOB, "migrate", protect=False, **workload("migrate"))
    for op in ("create", "update"):
        assert violations(plan(job, step(op, DEPLOYMENT, name, **workload(name)))) == {
            ("migration_first", f"Deployment::{name}")
        }
        assert check(plan(job, step(op, DEPLOYMENT, name, **workload(name, depends_on=(urn(JOB, "migrate"),))))) == []
    assert check(plan(step("same", DEPLOYMENT, name, **workload(name)))) == []


def test_api_must_run_the_image_of_the_migration() -> None:
    job = step("same", JOB, "migrate", protect=False, **workload("migrate", image="registry/honeydue-api:0"))
    api = step("update", DEPLOYMENT, "api", **workload("api", depends_on=(urn(JOB, "migrate"),)))
    assert violations(plan(job, api)) == {("migration_first", "Deployment::api")}


@pytest.mark.parametrize(
    "spec",
    [
        {"strategy": {"type": "Recreate"}, "replicas": 3},
        {"strategy": {}},
        {"strategy": {"rollingUpdate": {"maxUnavailable": 1}}},
    ],
)
def test_an_update_must_not_reduce_the_available_pods(spec: dict[str, Any]) -> None:
    assert violations(plan(step("update", DEPLOYMENT, "web", **workload("web", **spec)))) == {
        ("no_unavailable_pods", "Deployment::web")
    }


def test_a_single_pod_may_stop_before_its_replacement_starts() -> None:
    single = workload("redis", strategy={"type": "Recreate"}, replicas=1)
    assert check(plan(step("update", DEPLOYMENT, "redis", **single))) == []


HIDDEN = "s3cr3t-of-a-test"


@pytest.mark.parametrize(
    ("kind", "inputs", "path"),
    [
        (SECRET, {"stringData": {"key.p8": HIDDEN}}, "stringData.key.p8"),
        (SECRET, {"data": {"a": HIDDEN}}, "data.a"),
        (
            SECRET,
            {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": HIDDEN}}},
            "metadata.annotations.kubectl.kubernetes.io/last-applied-configuration",
        ),
        (CONFIG_MAP, {"data": {"POSTGRES_PASSWORD": HIDDEN}}, "data.POSTGRES_PASSWORD"),
        (JOB, {"spec": {"env": [{"name": "SECRET_KEY", "value": HIDDEN}]}}, "spec.env[0].SECRET_KEY"),
        ("tls:index/privateKey:PrivateKey", {"privateKeyPem": HIDDEN}, "privateKeyPem"),
        ("cloudflare:index/x:X", {"privateKey": HIDDEN}, "privateKey"),
        (SERVER, {"userData": f"-----BEGIN EC PRIVATE KEY-----\n{HIDDEN}"}, "userData"),
        (SERVER, {"userData": f"token: K10{'0a' * 32}::server:{HIDDEN}"}, "userData"),
        (CONFIG_MAP, {"data": {"kube": f"client-key-data: {HIDDEN}"}}, "data.kube"),
        ("kubernetes:core/v1:Pod", {"users": f"admin:$2y$05${HIDDEN}"}, "users"),
    ],
)
def test_a_secret_in_plain_text_is_refused_without_being_printed(kind: str, inputs: dict[str, Any], path: str) -> None:
    states: list[dict[str, Any]] = [{"inputs": inputs}, {"outputs": inputs}]
    for state in states:
        for leaking in (step("same", kind, "example", **state), step("delete", kind, "example", old=state)):
            (violation,) = [entry for entry in check(plan(leaking)) if entry.rule == "no_plaintext_secrets"]
            assert violation.reason.endswith(f" {path}")
            console = Console(width=200)
            with console.capture() as printed:
                console.print(refusal([violation], stack="prod"))
            assert HIDDEN not in printed.get()


def test_masked_and_unknown_values_are_allowed() -> None:
    inputs = {"stringData": {"a": "[secret]", "b": "", "c": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}}
    assert check(plan(step("create", SECRET, "example", inputs=inputs))) == []
    reference = {
        "env": [{"name": "REDIS_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "x", "key": "REDIS_PASSWORD"}}}]
    }
    assert check(plan(step("create", JOB, "example", protect=False, inputs=reference))) == []


def test_a_recorded_plan_is_parsed_and_checked() -> None:
    recorded = Plan.read(RECORDED.read_text())
    assert recorded.stack == "prod"
    assert [(step.op, step.short) for step in recorded.changes] == [
        ("replace", "Job::migrate"),
        ("update", "Deployment::api"),
        ("replace", "OriginCaCertificate::origin"),
        ("delete", "Server::hetzner4"),
    ]
    assert [step.changed for step in recorded.changes][2] == ("requestedValidity",)
    assert violations(recorded) == {
        ("no_deletion", "OriginCaCertificate::origin"),
        ("no_deletion", "Server::hetzner4"),
        # Recorded before the program had the hook.
        ("has_deletion_hook", "Server::hetzner4"),
    }
    assert len(recorded.warnings) == 1
