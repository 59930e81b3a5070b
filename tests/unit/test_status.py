"""`make status`: the lines about metrics and alerts, the exit codes, and what an operator reads when a part is away."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infra.monitoring.rules import alert_rules
from infra.monitoring.rules.monitoring import WATCHDOG
from ops.__main__ import cli
from ops.engine import stack as engine
from ops.errors import OpsError
from ops.kubernetes import Cluster
from ops.status import command
from ops.status.obs import Obs
from ops.status.release import declared_images
from ops.status.stack import validated
from tests.unit.capture import full_settings
from tests.unit.fake_obs import FakeObs, serve_obs
from tests.unit.placeholders import PLACEHOLDER
from tests.unit.well_cluster import WellCluster

VALUES: dict[str, Any] = {
    # tests/unit/test_status_uptime.py tests the Worker.
    key.removeprefix("honeydue:"): value
    for key, value in full_settings().items()
    if key != "honeydue:uptime"
}
SETTINGS = validated(VALUES)
RULES = alert_rules(SETTINGS)
METRICS = {name for rule in RULES for name in rule.series}
WATCHDOG_ALERT = {"alertname": WATCHDOG, "severity": "none"}


@pytest.fixture
def obs() -> Iterator[FakeObs]:
    with serve_obs(
        username=VALUES["monitoring"]["username"], password=VALUES["metricsPassword"], cluster=SETTINGS.domain
    ) as server:
        server.alerts = [WATCHDOG_ALERT]
        server.arrived = {"5m": set(METRICS)}
        yield server


@pytest.fixture
def cluster() -> WellCluster:
    return WellCluster(SETTINGS)


@pytest.fixture
def values() -> dict[str, Any]:
    """The settings of the stack."""
    return dict(VALUES)


Status = Callable[[], Result]


@pytest.fixture
def status(monkeypatch: pytest.MonkeyPatch, obs: FakeObs, cluster: WellCluster, values: dict[str, Any]) -> Status:
    @contextmanager
    def connect(*_: str) -> Iterator[Cluster]:
        yield cluster

    monkeypatch.setattr(engine, "read_settings", lambda _: values)
    monkeypatch.setattr(engine, "read_output", lambda *_: "2041-11-22T15:13:00Z\n")
    monkeypatch.setattr(
        command,
        "kubeconfig_and_context",
        lambda *_: ("contexts: [{name: a, context: {user: a}}]\nusers: [{name: a, user: {token: hunter2}}]", "a"),
    )
    monkeypatch.setattr(Cluster, "connect", connect)
    # The settings only accept https.
    monkeypatch.setattr(command, "Obs", lambda **options: Obs(**{**options, "url": obs.url}))
    return partial(CliRunner().invoke, cli, ["status", "--stack", "prod"])


def rows(result: Result, word: str) -> list[str]:
    return [" ".join(row.split()[1:]) for row in result.output.splitlines() if row.startswith(f"{word} ")]


def test_all_is_well(status: Status) -> None:
    result = status()
    assert result.exit_code == 0, result.output
    assert [row.split()[0] for row in rows(result, "ok")] == [
        *("nodes", *["release"] * len(declared_images(SETTINGS.images)), "pods"),
        *(
            "migration",
            "backups",
            "backups",
            "snapshots",
            "uptime",
            "alerts",
            "rules",
            "certificates",
            "certificates",
            "cost",
        ),
    ]
    assert len(result.output.splitlines()) < 24, "more than a screen"
    assert PLACEHOLDER not in result.output
    assert "hunter2" not in result.output


@pytest.mark.parametrize("kind", ["Node", "Deployment", "Job", "ETCDSnapshotFile"])
def test_what_is_missing_in_the_cluster_is_a_problem(status: Status, cluster: WellCluster, kind: str) -> None:
    cluster.objects[kind] = []
    result = status()
    assert result.exit_code == 1, result.output
    assert rows(result, "problem")
    assert rows(result, "unchecked") == []


def test_another_image_than_that_of_the_settings_is_a_problem(status: Status, cluster: WellCluster) -> None:
    cluster.objects["Pod"][0]["spec"]["containers"][0]["image"] = "registry.example.com/honeydue-api:old"
    result = status()
    assert result.exit_code == 1
    (row,) = rows(result, "problem")
    assert row.startswith("release honeydue-api:")
    assert "but honeydue-api:old in 1 pod, and the settings differ: make preview" in row


@pytest.mark.parametrize("replicas", [0, 1])
def test_an_app_with_too_few_pods_is_a_problem(status: Status, cluster: WellCluster, replicas: int) -> None:
    cluster.objects["Deployment"][0]["status"] = {}
    cluster.objects["Deployment"][0]["spec"] = {"replicas": replicas, "selector": {"matchExpressions": []}}
    result = status()
    assert result.exit_code == 1
    assert rows(result, "problem")[0].endswith(f"0 of {replicas} pods ready")


def test_alerts_that_fire_are_problems(status: Status, obs: FakeObs) -> None:
    alert = {"alertname": "NodeDiskFull", "severity": "warning", "node": "one", "cluster": "x", "alertgroup": "g"}
    obs.alerts += [alert, alert, {"alertname": "Info", "severity": "none"}]
    result = status()
    assert result.exit_code == 1
    assert rows(result, "problem") == ["alerts NodeDiskFull (warning): node one"]


def test_without_the_watchdog_alerting_does_not_run(status: Status, obs: FakeObs) -> None:
    obs.alerts = []
    result = status()
    assert result.exit_code == 1
    assert rows(result, "problem") == [f"alerts alerting does not run: {WATCHDOG} does not fire, so no other alert can"]
    assert not any(row.startswith("alerts") for row in rows(result, "ok"))


def test_a_metric_that_did_not_arrive_within_a_day_is_a_problem(status: Status, obs: FakeObs) -> None:
    missing, rare = sorted(METRICS)[:2]
    obs.arrived = {"5m": METRICS - {missing, rare}, "1d": METRICS - {missing}}
    result = status()
    assert result.exit_code == 1
    (row,) = rows(result, "problem")
    names = ", ".join(rule.name for rule in RULES if missing in rule.series)
    assert row == f"rules {missing} did not arrive within a day: {names} cannot fire"


def test_without_any_metric_there_is_one_line(status: Status, obs: FakeObs) -> None:
    obs.arrived = {}
    result = status()
    assert rows(result, "problem") == [
        "rules no metric of any rule arrived within a day: vmagent does not write to VictoriaMetrics"
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"status": 503}, "returned 503 for a query"),
        ({"status": 302}, "returned 302 for a query"),
        ({"status": 403}, "rejects the user of honeydue:monitoring.username, or refuses it queries (403)"),
        ({"password": "changed"}, "(401): pulumi config set --secret honeydue:metricsPassword"),
        ({"body": b"<html>"}, "the base URL of VictoriaMetrics was expected in honeydue:monitoring.url"),
        ({"body": b'{"status":"error","error":"x"}'}, "did not return the result of a query"),
        ({"url": "http://127.0.0.1:1"}, "cannot be reached (ConnectionError)"),
    ],
)
def test_the_cluster_is_shown_without_obs(status: Status, obs: FakeObs, change: dict[str, Any], expected: str) -> None:
    for name, value in change.items():
        setattr(obs, name, value)
    result = status()
    assert result.exit_code == 2
    unchecked = rows(result, "unchecked")
    assert [row.split()[0] for row in unchecked] == ["alerts", "rules"]
    assert all(expected in row for row in unchecked)
    assert any(row.startswith("nodes") for row in rows(result, "ok"))
    assert PLACEHOLDER not in result.output


def test_alerts_are_shown_without_the_cluster(status: Status, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: str) -> None:
        raise OpsError("the API server cannot be reached")

    monkeypatch.setattr(Cluster, "connect", fail)
    result = status()
    assert result.exit_code == 2
    assert rows(result, "unchecked") == ["cluster the API server cannot be reached"]
    assert any(row.startswith("alerts") for row in rows(result, "ok"))


def test_a_problem_does_not_hide_that_something_is_unknown(status: Status, cluster: WellCluster) -> None:
    cluster.forbidden = {"Pod"}
    cluster.objects["Job"] = []
    result = status()
    assert result.exit_code == 2
    assert [row.split()[0] for row in rows(result, "unchecked")] == ["release", "pods"]
    assert [row.split()[0] for row in rows(result, "problem")] == ["migration"]


@pytest.mark.parametrize(
    ("monitoring", "text"),
    [
        (None, "alerts off: honeydue:monitoring is not set"),
        ({**VALUES["monitoring"], "alerts": False}, "alerts off: honeydue:monitoring.alerts is false"),
    ],
)
def test_without_monitoring_the_cluster_decides(
    status: Status, values: dict[str, Any], cluster: WellCluster, monitoring: object, text: str
) -> None:
    values["monitoring"] = monitoring
    result = status()
    assert result.exit_code == 0, result.output
    assert text in rows(result, "ok")
    cluster.objects["Job"] = []
    assert status().exit_code == 1


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("metricsPassword", None, "alerts honeydue:metricsPassword is missing: pulumi config set --secret"),
        ("domain", "no domain!", "settings 1 setting is not valid: make preview describes it"),
    ],
)
def test_unusable_settings_are_unchecked(
    status: Status, values: dict[str, Any], key: str, value: object, text: str
) -> None:
    values[key] = value
    result = status()
    assert result.exit_code == 2
    assert any(row.startswith(text) for row in rows(result, "unchecked")), result.output
    assert any(row.startswith("nodes") for row in rows(result, "ok"))


def test_an_unreadable_stack_is_one_line(monkeypatch: pytest.MonkeyPatch, status: Status) -> None:
    def fail(_: str) -> None:
        raise OpsError("stack prod does not exist")

    monkeypatch.setattr(engine, "read_settings", fail)
    result = status()
    assert result.exit_code == 2
    assert result.output == "status: could not check stack prod. stack prod does not exist\n"


def test_a_missing_output_is_unchecked(monkeypatch: pytest.MonkeyPatch, status: Status) -> None:
    def fail(*_: str) -> None:
        raise OpsError("current stack does not have output property 'originCertificateExpiry'")

    monkeypatch.setattr(engine, "read_output", fail)
    assert status().exit_code == 2
