"""Each promise as a rule: a plan that breaks it, and one that does not. Production's own program breaks none."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ops.guardrails.rules import DEPLOYMENT, SERVER, UNPROTECTED, check
from ops.guardrails.summary import refusal
from ops.plan import Plan, PlanError, short_name
from tests.unit.capture import Capture, Registration, masked
from tests.unit.plans import plan, step, urn

RECORDED = Path(__file__).parent / "recorded" / "plan.json"
JOB = "kubernetes:batch/v1:Job"
SECRET = "kubernetes:core/v1:Secret"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
IMAGE = "registry/honeydue-api:1"


def workload(name: str, *, image: str = IMAGE, after: tuple[str, ...] = (), **spec: Any) -> dict[str, Any]:
    """The new state of a Deployment or Job."""
    rolling = {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    template = {"spec": {"containers": [{"name": name, "image": image}]}}
    return {"inputs": {"spec": {"strategy": rolling, "template": template, **spec}}, "dependencies": list(after)}


def violated(plan_under_test: Plan, **options: Any) -> set[tuple[str, str]]:
    return {(entry.rule, entry.resource) for entry in check(plan_under_test, **options)}


def declared(entry: Registration, *, protect: bool) -> dict[str, Any]:
    """A resource of the program as a step that creates it."""
    # Of a Deployment the SDK makes all of spec secret, as a checksum in it is; the provider then keeps that one secret.
    inputs = entry.inputs if entry.kind == "Deployment" else masked(entry.request.object)
    request = entry.request
    new = {
        "urn": entry.urn,
        "type": entry.type,
        "custom": request.custom,
        "protect": protect,
        "dependencies": list(request.dependencies),
    }
    return {"op": "create", "urn": entry.urn, "newState": new | {"inputs": inputs}}


def test_productions_own_program_breaks_no_promise(program: Capture) -> None:
    assert check(plan(*[declared(entry, protect=entry.request.protect) for entry in program.registrations])) == []


def test_all_but_what_is_expendable_must_be_protected(program: Capture) -> None:
    plan_under_test = check(plan(*[declared(entry, protect=False) for entry in program.registrations]))
    real = [entry for entry in program.registrations if entry.request.custom and not entry.type.startswith("pulumi:")]
    assert {entry.resource for entry in plan_under_test} == {
        short_name(entry.urn) for entry in real if entry.type not in UNPROTECTED
    }


def test_a_short_name_means_one_resource(program: Capture) -> None:
    names = Counter(short_name(entry.urn) for entry in program.registrations if entry.request.custom)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("op", ["delete", "replace", "delete-replaced", "create-replacement"])
@pytest.mark.parametrize(
    "kind",
    [
        SERVER,
        "hcloud:index/primaryIp:PrimaryIp",
        "cloudflare:index/dnsRecord:DnsRecord",
        "cloudflare:index/originCaCertificate:OriginCaCertificate",
        "kubernetes:core/v1:PersistentVolumeClaim",
        "kubernetes:core/v1:Namespace",
        "kubernetes:networking.k8s.io/v1:Ingress",
    ],
)
def test_a_deletion_is_refused_protected_or_not(op: str, kind: str) -> None:
    name = f"{kind.rsplit(':', 1)[-1]}::one"
    for protected in (True, False):
        plan_under_test = plan(step(op, kind, "one", changed=("location",), old={"protect": protected}))
        (violation,) = check(plan_under_test)
        assert (violation.rule, violation.resource) == ("no_deletion", name)
        assert violated(plan_under_test, allow_delete=[name]) == set()
    assert check(plan(step("update", kind, "one"))) == []


def test_a_refused_deletion_names_resource_reason_and_the_command_that_confirms_it() -> None:
    (violation,) = check(plan(step("replace", "hcloud:index/primaryIp:PrimaryIp", "hetzner1", changed=("location",))))
    assert violation.resource == "PrimaryIp::hetzner1"
    assert "replaced, because location changed" in violation.reason
    assert violation.fix.endswith('make up STACK=prod ALLOW_DELETE="PrimaryIp::hetzner1"')


def test_what_a_release_replaces_is_allowed() -> None:
    assert (
        check(plan(*[step("replace", kind, "one", old={"protect": False}, protect=False) for kind in UNPROTECTED]))
        == []
    )


def test_deleting_a_component_or_provider_is_allowed() -> None:
    component = step("delete", "honeydue:machines:Firewall", "firewall", old={"custom": False})
    assert check(plan(component, step("delete", "pulumi:providers:hcloud", "hetzner"))) == []


def test_confirming_a_deletion_that_the_plan_does_not_make_is_refused() -> None:
    plan_under_test = plan(step("delete", SERVER, "hetzner3"))
    assert violated(plan_under_test, allow_delete=["Server::hetzner2"]) == {
        ("check", "Server::hetzner2"),
        ("no_deletion", "Server::hetzner3"),
    }
    assert violated(plan(), allow_delete=["Server::hetzner3"]) == {("check", "Server::hetzner3")}


def test_the_replacing_setting_allows_that_server_alone() -> None:
    anew = step("replace", SERVER, "hetzner2", protect=False)
    assert check(plan(anew, replacing="hetzner2")) == []
    assert violated(plan(anew, replacing="hetzner1")) == {
        ("no_deletion", "Server::hetzner2"),
        ("stays_protected", "Server::hetzner2"),
    }
    assert violated(plan(step("delete", SERVER, "hetzner2"), replacing="hetzner2")) == {
        ("no_deletion", "Server::hetzner2")
    }
    address = step("replace", "hcloud:index/primaryIp:PrimaryIp", "hetzner2")
    assert violated(plan(address, replacing="hetzner2")) == {("no_deletion", "PrimaryIp::hetzner2")}


def test_losing_protection_is_refused() -> None:
    dropped = step("same", "hcloud:index/firewall:Firewall", "honeydue", protect=False)
    assert violated(plan(dropped)) == {("stays_protected", "Firewall::honeydue")}
    assert check(plan(step("same", "hcloud:index/firewall:Firewall", "honeydue", old={"protect": False}))) == []


@pytest.mark.parametrize(
    "second",
    [
        step("update", SERVER, "hetzner2", changed=("serverType",)),
        step("update", SERVER, "hetzner2", changed=("publicNets[0].ipv4",)),
        step("delete", SERVER, "hetzner2"),
    ],
)
def test_one_server_stops_at_a_time_confirmed_or_not(second: dict[str, Any]) -> None:
    first = step("replace", SERVER, "hetzner1")
    both = {("one_server_at_a_time", f"Server::hetzner{number}") for number in (1, 2)}
    allowed = [entry.resource for entry in check(plan(first, second)) if entry.confirmable]
    assert violated(plan(first, second), allow_delete=allowed) == both
    assert violated(plan(second, step("update", SERVER, "hetzner3", changed=("labels",)))) <= {
        ("no_deletion", "Server::hetzner2")
    }


@pytest.mark.parametrize("name", ["api", "worker"])
def test_no_pod_that_needs_the_schema_comes_before_its_migration(name: str) -> None:
    job = step("replace", JOB, "migrate", protect=False, **workload("migrate"))
    for op in ("create", "update"):
        assert violated(plan(job, step(op, DEPLOYMENT, name, **workload(name)))) == {
            ("migration_first", f"Deployment::{name}")
        }
        assert check(plan(job, step(op, DEPLOYMENT, name, **workload(name, after=(urn(JOB, "migrate"),))))) == []
    assert check(plan(step("same", DEPLOYMENT, name, **workload(name)))) == []


def test_api_runs_the_image_that_was_migrated() -> None:
    job = step("same", JOB, "migrate", protect=False, **workload("migrate", image="registry/honeydue-api:0"))
    api = step("update", DEPLOYMENT, "api", **workload("api", after=(urn(JOB, "migrate"),)))
    assert violated(plan(job, api)) == {("migration_first", "Deployment::api")}


@pytest.mark.parametrize(
    "spec",
    [
        {"strategy": {"type": "Recreate"}, "replicas": 3},
        {"strategy": {}},
        {"strategy": {"rollingUpdate": {"maxUnavailable": 1}}},
    ],
)
def test_no_old_pod_is_lost(spec: dict[str, Any]) -> None:
    assert violated(plan(step("update", DEPLOYMENT, "web", **workload("web", **spec)))) == {
        ("no_unavailable_pods", "Deployment::web")
    }


def test_a_lone_pod_may_stop_before_its_successor() -> None:
    alone = workload("redis", strategy={"type": "Recreate"}, replicas=1)
    assert check(plan(step("update", DEPLOYMENT, "redis", **alone))) == []


HIDDEN = "s3cr3t-of-a-test"


@pytest.mark.parametrize(
    ("kind", "inputs", "place"),
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
def test_no_secret_stands_in_plain_text_and_the_refusal_does_not_tell_it(
    kind: str, inputs: dict[str, Any], place: str
) -> None:
    places: list[dict[str, Any]] = [{"inputs": inputs}, {"outputs": inputs}]
    for where in places:
        for leaking in (step("same", kind, "one", **where), step("delete", kind, "one", old=where)):
            (violation,) = [entry for entry in check(plan(leaking)) if entry.rule == "no_plaintext_secrets"]
            assert violation.reason.endswith(f" {place}")
            console = Console(width=200)
            with console.capture() as said:
                console.print(refusal([violation], stack="prod"))
            assert HIDDEN not in said.get()


def test_what_is_masked_or_not_known_yet_is_no_leak() -> None:
    inputs = {"stringData": {"a": "[secret]", "b": "", "c": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}}
    assert check(plan(step("create", SECRET, "one", inputs=inputs))) == []
    reference = {
        "env": [{"name": "REDIS_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "x", "key": "REDIS_PASSWORD"}}}]
    }
    assert check(plan(step("create", JOB, "one", protect=False, inputs=reference))) == []


def test_a_recorded_plan_is_read() -> None:
    recorded = Plan.read(RECORDED.read_text())
    assert recorded.stack == "prod"
    assert [(entry.op, entry.short) for entry in recorded.changes] == [
        ("replace", "Job::migrate"),
        ("update", "Deployment::api"),
        ("replace", "OriginCaCertificate::origin"),
        ("delete", "Server::hetzner4"),
    ]
    assert [entry.changed for entry in recorded.changes][2] == ("requestedValidity",)
    assert violated(recorded) == {
        ("no_deletion", "OriginCaCertificate::origin"),
        ("no_deletion", "Server::hetzner4"),
    }
    assert len(recorded.warnings) == 1


@pytest.mark.parametrize(
    "answer", ["", "no JSON", '{"steps": [{"op": "same"}]}', f'{{"config": {{"x": ["{HIDDEN}"]}}}}']
)
def test_what_is_no_plan_is_refused_without_showing_it(answer: str) -> None:
    with pytest.raises(PlanError) as refused:
        Plan.read(answer)
    assert HIDDEN not in str(refused.value)
