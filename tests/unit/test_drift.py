"""What is drift and what is not, from plans; and what of it is shown."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import JsonValue

from infra.names import NAMESPACE
from ops.__main__ import cli
from ops.adoption.lookups.cloudflare import Cloudflare
from ops.drift.masking import Masking
from ops.drift.report import MAX_VALUE_LENGTH, DriftReport, format_value, markdown
from ops.drift.rows import EXISTS, MISSING, NEVER_APPLIED, NOT_DECLARED, DriftRow, drift_rows, expected_changes
from ops.drift.undeclared import undeclared_objects, undeclared_records
from ops.engine.sentinels import UNKNOWN
from ops.errors import ForbiddenError, OpsError
from ops.kubernetes import Cluster, Object
from ops.plan import Plan, State
from rehearsal.clouds import api
from rehearsal.clouds.account import Account, write_account
from rehearsal.clouds.existing import provision
from tests.unit.plans import plan, state, step, urn

DEPLOYMENT, JOB, POLICY = (
    "kubernetes:apps/v1:Deployment",
    "kubernetes:batch/v1:Job",
    "kubernetes:networking.k8s.io/v1:NetworkPolicy",
)
CONFIG_MAP, SECRET = "kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:Secret"
FIREWALL, RECORD = "hcloud:index/firewall:Firewall", "cloudflare:index/dnsRecord:DnsRecord"
RECORDED = Path(__file__).parent / "recorded" / "drift.json"
HIDDEN = "s3cr3t-of-a-test"


def rows(found: Plan, *held: str) -> dict[tuple[str, str], tuple[Any, Any]]:
    return {(one.resource, one.property): (one.declared, one.actual) for one in drift_rows(found, held)}


def changed(
    kind: str, *paths: str, declared: dict[str, Any], found: dict[str, Any]
) -> dict[tuple[str, str], tuple[Any, Any]]:
    """Of one resource that was found otherwise, at the paths that the provider tells."""
    return rows(plan(step("update", kind, "one", changed=paths, old={"inputs": found}, inputs=declared)))


def test_a_recorded_plan_is_read() -> None:
    """Of a rehearsal in which all of this was done by hand (tests/rehearsal/test_drift.py)."""
    recorded = Plan.read(RECORDED.read_text())
    told = rows(recorded, *(one.urn for one in recorded.steps))
    described = told.pop(("Firewall::honeydue", "rules"))
    assert [[rule["port"] for rule in rules] for rules in described] == [["2379-2380"], ["5432"]]
    images = told.pop(("Deployment::worker", "spec.template.spec.containers[worker].image"))
    assert [image.rpartition(":")[2] for image in images] == ["12b2f9d43b", "by-hand"]
    assert told.pop(("ConfigMap::honeydue-config", "data.DB_HOST"))[1] == "somewhere-else.example"
    assert told == {
        ("DnsRecord::api-hetzner2", "proxied"): (True, False),
        ("Firewall::honeydue", "rules[HTTPS from Cloudflare alone].sourceIps"): (["198.51.100.0/24"], None),
        ("Server::hetzner1", "firewallIds"): (None, [1013]),
        ("HelmChartConfig::traefik", "spec.valuesContent"): (["      - 198.51.100.0/24"], None),
        ("Middleware::cloudflare-only", "spec.ipAllowList.sourceRange"): (["198.51.100.0/24"], None),
        ("Secret::honeydue-secrets", "data.SECRET_KEY"): ("[secret]", "another value"),
        ("NetworkPolicy::redis", ""): (EXISTS, MISSING),
        ("Deployment::web", "spec.replicas"): (3, 1),
    }


def test_what_is_found_as_it_is_declared_is_no_drift() -> None:
    assert rows(plan(step("refresh", RECORD, "a"), step("same", RECORD, "a"), step("read", RECORD, "b"))) == {}


def test_a_new_kubeconfig_is_no_drift() -> None:
    assert (
        changed("pulumi:providers:kubernetes", "kubeconfig", declared={"kubeconfig": "a"}, found={"kubeconfig": "b"})
        == {}
    )


def test_the_program_s_step_tells_and_not_the_refresh_s() -> None:
    seen = step(
        "update", RECORD, "a", changed=("proxied",), old={"inputs": {"proxied": True}}, inputs={"proxied": False}
    )
    back = step(
        "update", RECORD, "a", changed=("proxied",), old={"inputs": {"proxied": False}}, inputs={"proxied": True}
    )
    assert rows(plan(seen, back)) == {("DnsRecord::a", "proxied"): (True, False)}
    # Changed behind the program's back to what it now declares: nothing is left to do.
    assert rows(plan(seen, step("same", RECORD, "a"))) == {}


def test_what_is_gone_and_what_never_was_are_told_apart() -> None:
    gone = plan(step("delete", POLICY, "redis"), step("create", POLICY, "redis"))
    assert rows(gone, urn(POLICY, "redis")) == {("NetworkPolicy::redis", ""): (EXISTS, MISSING)}
    assert rows(gone) == {("NetworkPolicy::redis", ""): (EXISTS, NEVER_APPLIED)}


def test_what_is_no_longer_declared_is_drift() -> None:
    assert rows(plan(step("delete", POLICY, "redis"))) == {("NetworkPolicy::redis", ""): ("no longer declared", EXISTS)}


def test_a_finished_job_that_was_cleaned_up_is_no_drift() -> None:
    cleaned, job = plan(step("create", JOB, "migrate")), urn(JOB, "migrate")
    assert rows(cleaned, job) == {}
    assert expected_changes(cleaned, [job]) == ["Job::migrate was deleted after it completed"]
    assert rows(cleaned) == {("Job::migrate", ""): (EXISTS, NEVER_APPLIED)}
    assert rows(plan(step("create", DEPLOYMENT, "api")), urn(DEPLOYMENT, "api")) != {}


def test_only_what_the_provider_calls_another_value_is_told() -> None:
    declared = {"spec": {"replicas": 3, "limits": {"cpu": "1000m"}, "template": {"image": "a"}}}
    found = {"spec": {"replicas": 1, "limits": {"cpu": "1"}, "template": {"image": "b"}}}
    told = changed(DEPLOYMENT, "spec.replicas", "spec.template.image", declared=declared, found=found)
    assert told == {
        ("Deployment::one", "spec.replicas"): (3, 1),
        ("Deployment::one", "spec.template.image"): ("a", "b"),
    }


def test_elements_are_told_by_name_and_an_insertion_shifts_nothing() -> None:
    def containers(**images: str) -> dict[str, Any]:
        return {"containers": [{"name": name, "image": image} for name, image in images.items()]}

    paths = ("containers[0].image", "containers[1].name", "containers[2]")
    told = changed(
        DEPLOYMENT, *paths, declared=containers(api="1", proxy="1"), found=containers(spy="1", api="2", proxy="1")
    )
    assert told == {
        ("Deployment::one", "containers[api].image"): ("1", "2"),
        ("Deployment::one", "containers"): (None, [{"name": "spy", "image": "1"}]),
    }


def test_a_rule_added_and_one_removed_are_told_whole() -> None:
    web, etcd, spy = ({"description": "web", "port": "443"}, {"description": "etcd", "port": "2379"}, {"port": "22"})
    told = changed(FIREWALL, "rules[1].port", declared={"rules": [web, etcd]}, found={"rules": [web, spy]})
    assert told == {("Firewall::one", "rules"): ([etcd], [spy])}


def test_of_a_list_of_values_only_the_difference_is_told() -> None:
    declared, found = {"sourceIps": ["a", "b", "c"]}, {"sourceIps": ["a", "c", "d"]}
    assert changed(FIREWALL, "sourceIps[1]", declared=declared, found=found) == {
        ("Firewall::one", "sourceIps"): (["b"], ["d"])
    }


def test_of_a_long_text_only_lines_that_differ_are_told() -> None:
    told = changed(CONFIG_MAP, "data.x", declared={"data": {"x": "a\nb\nc"}}, found={"data": {"x": "a\nc"}})
    assert told == {("ConfigMap::one", "data.x"): (["b"], None)}


def test_another_order_is_told_where_the_provider_minds() -> None:
    told = changed(FIREWALL, "args[0]", declared={"args": ["a", "b"]}, found={"args": ["b", "a"]})
    assert told == {("Firewall::one", "args"): (["a", "b"], ["b", "a"])}


def test_what_only_follows_from_another_drift_is_not_told() -> None:
    declared, found = {"firewallIds": [UNKNOWN]}, {"firewallIds": [1]}
    assert changed("hcloud:index/server:Server", "firewallIds[0]", declared=declared, found=found) == {}


def test_what_differs_in_no_input_is_told_all_the_same() -> None:
    assert changed(SECRET, "data.a", declared={"data": "[secret]"}, found={"data": "[secret]"}) == {
        ("Secret::one", "data.a"): ("[secret]", "another value")
    }
    assert changed(RECORD, "status", declared={}, found={}) == {
        ("DnsRecord::one", "status"): ("as declared", "another value")
    }
    assert changed(DEPLOYMENT, declared={}, found={}) == {("Deployment::one", ""): ("ready", "not ready")}


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        (SECRET, {"stringData": {"a": HIDDEN}}),
        (CONFIG_MAP, {"data": {"POSTGRES_PASSWORD": HIDDEN}}),
        (CONFIG_MAP, {"data": {"SOMEBODYS_TOKEN": HIDDEN}}),
        (DEPLOYMENT, {"spec": {"env": [{"name": "HIS_PASSWORD", "value": HIDDEN}]}}),
        (CONFIG_MAP, {"data": {"x": f"-----BEGIN EC PRIVATE KEY-----\n{HIDDEN}"}}),
        (CONFIG_MAP, {"data": {"innocent": "the-stack-s-own-token"}}),
    ],
)
def test_no_secret_is_shown_on_either_side(kind: str, inputs: dict[str, Any]) -> None:
    masking = Masking({"hetznerToken": "the-stack-s-own-token", "domain": "myhoneydue.com"})
    top = next(iter(inputs))
    for declared, found in ((inputs, {}), ({}, inputs), (inputs, {top: {"other": "x"}})):
        told = list(
            drift_rows(plan(step("update", kind, "one", changed=(top,), old={"inputs": found}, inputs=declared)), [])
        )
        shown = markdown(DriftReport(rows=told), masking, stack="prod")
        assert told
        assert HIDDEN not in shown
        assert "the-stack-s-own-token" not in shown


def test_a_known_secret_is_masked_as_base64_and_inside_of_settings() -> None:
    masking = Masking({"adminBasicAuth": {"ada": "her-own-password"}, "domain": "myhoneydue.com"})
    assert (
        masking("x her-own-password y aGVyLW93bi1wYXNzd29yZA== myhoneydue.com")
        == "x [secret] y [secret] myhoneydue.com"
    )


def test_values_are_written_in_a_line() -> None:
    plain = Masking({})
    assert format_value(None, plain) == "-"
    assert (
        format_value([{"port": "22", "proxied": True, "ttl": 1.0, "tags": []}], plain)
        == "{port: 22, proxied: true, ttl: 1}"
    )
    assert len(format_value("long " * 100, plain)) == MAX_VALUE_LENGTH


def test_no_part_of_a_secret_is_left_by_cutting_or_joining() -> None:
    key = "\n".join(f"a line of a key, number {number}" for number in range(9))
    masking = Masking({"apnsKey": key})
    texts: list[JsonValue] = [
        key,
        "x " * (MAX_VALUE_LENGTH // 2 - 5) + key,
        list(key.splitlines()[3:5]),
        f"  {key.splitlines()[3]}\n",
    ]
    for value in texts:
        assert "key, number" not in format_value(value, masking)


def test_markdown_holds_its_table_together() -> None:
    report = DriftReport(
        rows=[DriftRow(resource="A", property="b", declared="x|y", actual="`z`")],
        expected_changes=["B moved"],
        unlisted_kinds=["Secret"],
    )
    assert markdown(report, Masking({}), stack="prod").splitlines() == [
        "**Drift in 1 resource of stack prod**",
        "",
        "| resource | property | declared | actual |",
        "| --- | --- | --- | --- |",
        "| `A` | `b` | `x\\|y` | `'z'` |",
        "",
        "- Not drift: B moved.",
        "- Undeclared objects of these kinds were not checked, because the account may not list them: Secret.",
    ]
    assert markdown(DriftReport(rows=[]), Masking({}), stack="prod") == "**No drift of stack prod**\n\n"


class Listed(Cluster):
    """A cluster that holds these, and lets nobody list Secrets."""

    def __init__(self, *held: Object) -> None:
        self._held = held

    def list(self, api_version: str, kind: str, namespace: str) -> Sequence[Object]:
        if kind == "Secret":
            raise ForbiddenError("secrets is forbidden")
        assert namespace == NAMESPACE
        return [one for one in self._held if (one["apiVersion"], one["kind"]) == (api_version, kind)]


def declared_object(kind: str, name: str, id_: str) -> State:
    _, _, api = kind.partition(":")
    version, _, short = api.partition(":")
    inputs = {
        "apiVersion": version.removeprefix("core/"),
        "kind": short,
        "metadata": {"name": name, "namespace": NAMESPACE},
    }
    return State.model_validate(state(kind, name, id=id_, inputs=inputs))


def live(version: str, kind: str, name: str, **metadata: Any) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **metadata}}


def test_objects_that_nobody_declared_are_drift_unless_a_controller_made_them() -> None:
    held = [
        State.model_validate(
            state("kubernetes:core/v1:Namespace", "honeydue", inputs={"metadata": {"name": NAMESPACE}})
        ),
        declared_object(DEPLOYMENT, "api", f"{NAMESPACE}/api"),
        declared_object(JOB, "migrate", f"{NAMESPACE}/migrate-12ab"),
        declared_object(CONFIG_MAP, "config", f"{NAMESPACE}/config"),
        declared_object(SECRET, "secrets", f"{NAMESPACE}/secrets"),
    ]
    cluster = Listed(
        live("apps/v1", "Deployment", "api"),
        live("apps/v1", "Deployment", "spy"),
        live("batch/v1", "Job", "migrate-12ab"),
        live("v1", "ConfigMap", "kube-root-ca.crt"),
        live("v1", "ConfigMap", "config"),
        live("apps/v1", "ReplicaSet", "api-1", ownerReferences=[{"kind": "Deployment", "name": "api"}]),
        live("v1", "Pod", "lone"),
    )
    found = undeclared_objects(cluster, held)
    assert {(one.resource, one.declared, one.actual) for one in found.rows} == {
        ("Deployment spy", NOT_DECLARED, EXISTS),
        ("Pod lone", NOT_DECLARED, EXISTS),
    }
    assert found.unlisted_kinds == ["Secret"]


ZONE, DOMAIN = "023e105f4ecef8ad9ca31a8372d0c353", "myhoneydue.com"
TOKENS = api.Tokens(hetzner="hetzner-token", cloudflare="cloudflare-token")


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    write_account(tmp_path, Account(zones={DOMAIN: ZONE}))
    with api.serving(tmp_path, TOKENS) as endpoints:
        for name, value in endpoints.items():
            monkeypatch.setenv(name, value)
        yield tmp_path


def record(clouds: Path, name: str, content: str, type_: str = "A") -> str:
    return provision(
        clouds,
        RECORD,
        {"zoneId": ZONE, "name": f"{name}.{DOMAIN}".removeprefix("@."), "type": type_, "content": content, "ttl": 1},
    )


def test_records_that_lead_to_us_or_from_us_are_drift(clouds: Path) -> None:
    ours = {"zoneId": ZONE, "name": f"api.{DOMAIN}", "content": "192.0.2.1"}
    id_ = record(clouds, "api", "192.0.2.1")
    held = [State.model_validate(state(RECORD, "api", id=id_, outputs=ours))]
    record(clouds, "@", '"v=spf1 -all"', "TXT")
    record(clouds, "api", '"verification"', "TXT")
    record(clouds, "blog", "192.0.2.77")
    cloudflare = Cloudflare(TOKENS.cloudflare)
    assert list(undeclared_records(cloudflare, held)) == []

    record(clouds, "api", "192.0.2.9")
    record(clouds, "direct", "192.0.2.1")
    assert {one.resource for one in undeclared_records(cloudflare, held)} == {
        f"A record api.{DOMAIN} → 192.0.2.9",
        f"A record direct.{DOMAIN} → 192.0.2.1",
    }
    with pytest.raises(OpsError, match="rejects the token"):
        list(undeclared_records(Cloudflare("another"), held))


def test_a_mistyped_command_does_not_end_as_drift_does() -> None:
    assert CliRunner().invoke(cli, ["drift"]).exit_code == 1
    assert CliRunner().invoke(cli, ["drift", "--stack", "prod", "--nonsense"]).exit_code == 1
