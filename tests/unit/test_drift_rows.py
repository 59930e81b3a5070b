"""`make drift`: the rows that a plan results in, and the changes that are no drift."""

from pathlib import Path
from typing import Any

from ops.drift.rows import EXISTS, MISSING, NEVER_APPLIED, drift_rows, expected_changes
from ops.engine.sentinels import UNKNOWN
from ops.plan import Plan
from tests.unit.plans import (
    CONFIG_MAP,
    DEPLOYMENT,
    FIREWALL,
    JOB,
    NETWORK_POLICY,
    RECORD,
    SECRET,
    plan,
    step,
    urn,
)

RECORDED = Path(__file__).parent / "recorded" / "drift.json"


def rows(refreshed: Plan, *applied: str) -> dict[tuple[str, str], tuple[Any, Any]]:
    """Declared and actual value of each drift, by resource and property. `applied` are the URNs in the state."""
    return {(row.resource, row.property): (row.declared, row.actual) for row in drift_rows(refreshed, applied)}


def changed(
    kind: str, *paths: str, declared: dict[str, Any], actual: dict[str, Any]
) -> dict[tuple[str, str], tuple[Any, Any]]:
    """The drift of one resource. `paths` are those that the provider reports as changed."""
    return rows(plan(step("update", kind, "example", changed=paths, old={"inputs": actual}, inputs=declared)))


def test_a_recorded_plan_results_in_these_rows() -> None:
    """The plan was recorded in a rehearsal with these manual changes (tests/rehearsal/test_drift.py)."""
    recorded = Plan.read(RECORDED.read_text())
    drift = rows(recorded, *(step.urn for step in recorded.steps))
    nodes = "178.104.247.152/32, 178.104.249.189/32, 178.105.32.198/32"
    images = drift.pop(("Deployment::worker", "spec.template.spec.containers[worker].image"))
    assert [image.rpartition(":")[2] for image in images] == ["12b2f9d43b", "by-hand"]
    assert drift.pop(("ConfigMap::honeydue-config", "data.DB_HOST"))[1] == "somewhere-else.example"
    assert drift == {
        ("DnsRecord::api-hetzner2", "proxied"): (True, False),
        ("Firewall::honeydue", "rules[etcd between nodes]"): (f"in tcp 2379-2380 from {nodes}", None),
        ("Firewall::honeydue", "rules"): (None, "in tcp 5432 from 0.0.0.0/0"),
        ("Firewall::honeydue", "rules[HTTPS from Cloudflare alone].sourceIps"): (["198.51.100.0/24"], None),
        ("Server::hetzner1", "firewallIds"): (None, [1013]),
        ("HelmChartConfig::traefik", "spec.valuesContent"): (["      - 198.51.100.0/24"], None),
        ("Middleware::cloudflare-only", "spec.ipAllowList.sourceRange"): (["198.51.100.0/24"], None),
        ("Secret::honeydue-secrets", "data.SECRET_KEY"): ("[secret]", "another value"),
        ("NetworkPolicy::redis", ""): (EXISTS, MISSING),
        ("Deployment::web", "spec.replicas"): (3, 1),
    }


def test_an_unchanged_resource_is_no_drift() -> None:
    assert rows(plan(step("refresh", RECORD, "a"), step("same", RECORD, "a"), step("read", RECORD, "b"))) == {}


def test_a_new_kubeconfig_is_no_drift() -> None:
    assert (
        changed("pulumi:providers:kubernetes", "kubeconfig", declared={"kubeconfig": "a"}, actual={"kubeconfig": "b"})
        == {}
    )


def test_the_step_of_the_program_counts_and_not_that_of_the_refresh() -> None:
    refreshed = step(
        "update", RECORD, "a", changed=("proxied",), old={"inputs": {"proxied": True}}, inputs={"proxied": False}
    )
    reverted = step(
        "update", RECORD, "a", changed=("proxied",), old={"inputs": {"proxied": False}}, inputs={"proxied": True}
    )
    assert rows(plan(refreshed, reverted)) == {("DnsRecord::a", "proxied"): (True, False)}
    # The manual change is what the program declares now, so that nothing is left to change.
    assert rows(plan(refreshed, step("same", RECORD, "a"))) == {}


def test_a_deleted_resource_is_missing_and_a_new_one_never_applied() -> None:
    deleted = plan(step("delete", NETWORK_POLICY, "redis"), step("create", NETWORK_POLICY, "redis"))
    assert rows(deleted, urn(NETWORK_POLICY, "redis")) == {("NetworkPolicy::redis", ""): (EXISTS, MISSING)}
    assert rows(deleted) == {("NetworkPolicy::redis", ""): (EXISTS, NEVER_APPLIED)}


def test_a_resource_that_is_no_longer_declared_is_drift() -> None:
    assert rows(plan(step("delete", NETWORK_POLICY, "redis"))) == {
        ("NetworkPolicy::redis", ""): ("no longer declared", EXISTS)
    }


def test_a_completed_job_that_was_deleted_is_no_drift() -> None:
    deleted, job = plan(step("create", JOB, "migrate")), urn(JOB, "migrate")
    assert rows(deleted, job) == {}
    assert expected_changes(deleted, [job]) == ["Job::migrate was deleted after it completed"]
    assert rows(deleted) == {("Job::migrate", ""): (EXISTS, NEVER_APPLIED)}
    assert rows(plan(step("create", DEPLOYMENT, "api")), urn(DEPLOYMENT, "api")) != {}


def test_only_paths_that_the_provider_reports_are_drift() -> None:
    declared = {"spec": {"replicas": 3, "limits": {"cpu": "1000m"}, "template": {"image": "a"}}}
    actual = {"spec": {"replicas": 1, "limits": {"cpu": "1"}, "template": {"image": "b"}}}
    drift = changed(DEPLOYMENT, "spec.replicas", "spec.template.image", declared=declared, actual=actual)
    assert drift == {
        ("Deployment::example", "spec.replicas"): (3, 1),
        ("Deployment::example", "spec.template.image"): ("a", "b"),
    }


def test_list_elements_are_compared_by_name() -> None:
    def containers(**images: str) -> dict[str, Any]:
        return {"containers": [{"name": name, "image": image} for name, image in images.items()]}

    paths = ("containers[0].image", "containers[1].name", "containers[2]")
    drift = changed(
        DEPLOYMENT, *paths, declared=containers(api="1", proxy="1"), actual=containers(spy="1", api="2", proxy="1")
    )
    assert drift == {
        ("Deployment::example", "containers[api].image"): ("1", "2"),
        ("Deployment::example", "containers[spy]"): (None, {"name": "spy", "image": "1"}),
    }


def test_an_added_and_a_removed_rule_are_shown_completely() -> None:
    web, etcd, spy = ({"description": "web", "port": "443"}, {"description": "etcd", "port": "2379"}, {"port": "22"})
    added_and_removed = {
        ("Firewall::example", "rules[etcd]"): (etcd, None),
        ("Firewall::example", "rules"): (None, spy),
    }
    drift = changed(FIREWALL, "rules[1].port", declared={"rules": [web, etcd]}, actual={"rules": [web, spy]})
    assert drift == added_and_removed
    assert changed(FIREWALL, "rules", declared={"rules": [etcd]}, actual={}) == {
        ("Firewall::example", "rules[etcd]"): (etcd, None)
    }


def test_only_the_difference_of_a_list_of_values_is_shown() -> None:
    declared, actual = {"sourceIps": ["a", "b", "c"]}, {"sourceIps": ["a", "c", "d"]}
    assert changed(FIREWALL, "sourceIps[1]", declared=declared, actual=actual) == {
        ("Firewall::example", "sourceIps"): (["b"], ["d"])
    }


def test_only_the_different_lines_of_a_text_are_shown() -> None:
    drift = changed(CONFIG_MAP, "data.x", declared={"data": {"x": "a\nb\nc"}}, actual={"data": {"x": "a\nc"}})
    assert drift == {("ConfigMap::example", "data.x"): (["b"], None)}


def test_another_order_is_drift_if_the_provider_reports_it() -> None:
    drift = changed(DEPLOYMENT, "args[0]", declared={"args": ["a", "b"]}, actual={"args": ["b", "a"]})
    assert drift == {("Deployment::example", "args"): (["a", "b"], ["b", "a"])}


def test_another_order_of_a_set_is_no_drift() -> None:
    ssh, etcd, spy = ({"description": "ssh", "sourceIps": ["a", "b"]}, {"description": "etcd"}, {"port": "5432"})
    reordered = {**ssh, "sourceIps": ["b", "a"]}
    drift = changed(
        FIREWALL, "rules[0]", "rules[1]", declared={"rules": [ssh, etcd]}, actual={"rules": [spy, reordered]}
    )
    assert drift == {
        ("Firewall::example", "rules[etcd]"): (etcd, None),
        ("Firewall::example", "rules"): (None, spy),
    }


def test_a_value_that_depends_on_another_drift_is_no_drift() -> None:
    declared, actual = {"firewallIds": [UNKNOWN]}, {"firewallIds": [1]}
    assert changed("hcloud:index/server:Server", "firewallIds[0]", declared=declared, actual=actual) == {}


def test_a_difference_without_a_different_input_is_drift() -> None:
    assert changed(SECRET, "data.a", declared={"data": "[secret]"}, actual={"data": "[secret]"}) == {
        ("Secret::example", "data.a"): ("[secret]", "another value")
    }
    assert changed(RECORD, "status", declared={}, actual={}) == {
        ("DnsRecord::example", "status"): ("as declared", "another value")
    }
    assert changed(DEPLOYMENT, declared={}, actual={}) == {("Deployment::example", ""): ("ready", "not ready")}
