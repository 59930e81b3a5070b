"""vmalert and Alertmanager: what they connect to, what they read, and when their pods restart."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from infra.monitoring.alerts import timestamp
from infra.monitoring.rules import alert_rules, rules_file
from infra.monitoring.rules.model import INTERVAL_SECONDS
from infra.monitoring.rules.nodes import FAST_SECONDS
from infra.settings.schema import Settings
from infra.settings.types import seconds
from tests.unit.capture import Capture, full_settings, run
from tests.unit.flips import example
from tests.unit.manifests import manifests
from tests.unit.placeholders import PLACEHOLDER
from tests.unit.test_status_cluster import certificate_for

DEFAULT_EVAL_DELAY = "30s"
"""The default of vmalert's flag --rule.evalDelay."""
PARTS = ("alertmanager", "vmalert")
EXPIRY = "2040-04-05T13:40:00Z"


def program_with(alerts: object, **settings: object) -> Capture:
    monitoring: Any = full_settings()["honeydue:monitoring"]
    changed = {f"honeydue:{key}": value for key, value in settings.items()}
    return run({**full_settings(), "honeydue:monitoring": {**monitoring, "alerts": alerts}, **changed})


def monitored() -> Settings:
    full = full_settings()
    return example({key: full[f"honeydue:{key}"] for key in ("monitoring", "snapshots", "backups", "logs")})


def objects(program: Capture, kind: str) -> Mapping[str, Any]:
    """The objects of this kind in the namespace of monitoring, by name."""
    return {
        item["metadata"]["name"]: item
        for item in manifests(program)
        if item["kind"] == kind and item["metadata"].get("namespace") == "monitoring"
    }


def connections(policy: Mapping[str, Any], direction: str) -> set[tuple[str, str, int]]:
    """The destinations or sources of a policy: the name of a pod or "internet", the protocol and the port."""
    side = "from" if direction == "ingress" else "to"

    def name(peer: Mapping[str, Any]) -> str:
        labels = peer.get("podSelector", {}).get("matchLabels", {})
        return next(iter(labels.values()), "internet")

    return {
        (name(peer), port["protocol"], port["port"])
        for rule in policy["spec"][direction]
        for peer in rule[side]
        for port in rule["ports"]
    }


DNS = {("kube-dns", "UDP", 53), ("kube-dns", "TCP", 53)}


def test_vmalert_connects_to_obs_and_to_alertmanager_only(full_example: Capture) -> None:
    policy = objects(full_example, "NetworkPolicy")["vmalert"]
    assert connections(policy, "ingress") == {("vmagent", "TCP", 8880)}
    assert connections(policy, "egress") == {*DNS, ("internet", "TCP", 443), ("alertmanager", "TCP", 9093)}


@pytest.mark.parametrize(
    ("alerts", "https"), [({}, False), ({"webhook": True}, True), ({"heartbeat": True}, True)], ids=str
)
def test_alertmanager_only_sends_requests_that_are_set(alerts: object, https: bool) -> None:
    policy = objects(program_with(alerts), "NetworkPolicy")["alertmanager"]
    gossip = {("alertmanager", protocol, 9094) for protocol in ("TCP", "UDP")}
    mail = ("internet", "TCP", monitored().mail_port)
    assert connections(policy, "ingress") == {("vmalert", "TCP", 9093), ("vmagent", "TCP", 9093), *gossip}
    assert connections(policy, "egress") == {*DNS, *gossip, mail, *([("internet", "TCP", 443)] if https else [])}


def test_no_argument_and_no_config_map_contains_a_secret(full_example: Capture) -> None:
    for kind in ("Deployment", "StatefulSet", "ConfigMap"):
        assert PLACEHOLDER not in str(objects(full_example, kind))


def test_alertmanager_has_its_configuration_from_a_secret(full_example: Capture) -> None:
    (config,) = objects(full_example, "Secret")["alertmanager"]["stringData"].values()
    operator, heartbeat, _ = yaml.safe_load(config)["receivers"]
    (mail,) = operator["email_configs"]
    settings = monitored()
    assert mail["smarthost"] == f"{settings.environment['EMAIL_HOST']}:{settings.mail_port}"
    assert (mail["to"], mail["from"]) == (settings.admin_email, settings.email_user)
    assert mail["auth_password"] == f"{PLACEHOLDER}emailPassword"
    assert mail["require_tls"]
    assert PLACEHOLDER in operator["webhook_configs"][0]["url"]
    assert PLACEHOLDER in heartbeat["webhook_configs"][0]["url"]


def test_mails_can_go_to_another_recipient() -> None:
    program = program_with({"recipient": "on-call@example.com"})
    (config,) = objects(program, "Secret")["alertmanager"]["stringData"].values()
    assert "to: on-call@example.com" in config
    assert "webhook_configs" not in config


def test_two_pods_of_each_run_on_different_nodes_and_before_the_apps(full_example: Capture) -> None:
    workloads = {**objects(full_example, "Deployment"), **objects(full_example, "StatefulSet")}
    budgets = objects(full_example, "PodDisruptionBudget")
    for name in PARTS:
        spec = workloads[name]["spec"]
        assert spec["replicas"] == 2
        (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
        assert (spread["whenUnsatisfiable"], spread["nodeTaintsPolicy"]) == ("DoNotSchedule", "Honor")
        assert spec["template"]["spec"]["priorityClassName"] == "system-cluster-critical"
        assert budgets[name]["spec"]["maxUnavailable"] == 1


def test_vmalert_reads_the_rules_with_the_dates_of_this_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.edge.origin_certificate.rfc3339", lambda _: EXPIRY)
    program = run(full_settings())
    text = objects(program, "ConfigMap")["vmalert-rules"]["data"]["rules.yaml"]
    rules = alert_rules(monitored(), origin_certificate_expiry=timestamp(EXPIRY))
    assert text == rules_file(rules, cluster=monitored().domain)
    assert "OriginCertificateExpires" in text.split()


def test_rules_do_not_read_metrics_that_a_busy_node_sends_late() -> None:
    """The two vmalerts would compute different results. tests/rules cannot show it: vmalert-tool ignores the delay."""
    groups = yaml.safe_load(rules_file(alert_rules(monitored()), cluster="example.com"))["groups"]
    delays = {seconds(group["interval"]): seconds(group.get("eval_delay", DEFAULT_EVAL_DELAY)) for group in groups}
    assert {interval: delay > seconds(DEFAULT_EVAL_DELAY) for interval, delay in delays.items()} == {
        # A lost node is more urgent.
        FAST_SECONDS: False,
        INTERVAL_SECONDS: True,
    }


def test_no_object_of_monitoring_depends_on_the_kubeconfig(full_example: Capture) -> None:
    """CI has another one, which could not change the objects of monitoring, and no release would succeed."""
    other = run({**full_settings(), "honeydue:kubeconfig": certificate_for(days=365)})
    for kind in ("ConfigMap", "Secret", "Deployment", "StatefulSet", "DaemonSet"):
        assert objects(other, kind) == objects(full_example, kind)


def test_a_changed_rule_restarts_vmalert_only(full_example: Capture) -> None:
    changed = program_with({"webhook": True, "heartbeat": True, "runbookUrl": "https://git.example.com/runbook.md"})

    def checksums(program: Capture) -> Mapping[str, str]:
        workloads = {**objects(program, "Deployment"), **objects(program, "StatefulSet")}
        return {
            name: workloads[name]["spec"]["template"]["metadata"]["annotations"]["honeydue/reads"] for name in PARTS
        }

    before, after = checksums(full_example), checksums(changed)
    assert before["vmalert"] != after["vmalert"]
    assert before["alertmanager"] == after["alertmanager"]
    assert "https://git.example.com/runbook.md#a-node-is-down" in str(objects(changed, "ConfigMap"))


def test_without_alerts_there_is_neither() -> None:
    program = program_with(False)
    for kind in ("Deployment", "StatefulSet", "Secret", "ConfigMap", "NetworkPolicy", "PodDisruptionBudget"):
        assert not {*PARTS, "vmalert-rules"} & objects(program, kind).keys()
    policies = objects(program, "NetworkPolicy")["vmagent"]
    assert not {name for name, _, _ in connections(policies, "egress")} & set(PARTS)


def test_rules_of_a_part_that_is_off_are_left_out() -> None:
    def names(change: Mapping[str, object]) -> set[str]:
        monitoring: Any = full_settings()["honeydue:monitoring"]
        settings = example({"monitoring": {**monitoring, **change}})
        return {rule.name for rule in alert_rules(settings, origin_certificate_expiry=1)}

    every = names({})
    assert every - names({"redisExporter": False}) == {"JobsWait", "RedisDown", "RedisEvictsKeys", "RedisMemoryHigh"}
    assert every - names({"nodeExporter": False}) == {"NodeDiskFull", "NodeMemoryLow"}
    assert every - names({"api": False}) == {"DatabaseConnectionsHigh"}
    assert {"NodeDown", "NoMetrics"} <= names({"kubeStateMetrics": False})
    assert "ContainerRestarts" not in names({"kubeStateMetrics": False})
    assert names({"alerts": False}) == set()


def test_the_expiry_of_the_origin_certificate_is_a_time() -> None:
    assert timestamp("1970-01-02T00:00:00Z") == 86_400
    assert timestamp("an unknown format") is None
