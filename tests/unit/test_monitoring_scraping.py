"""The configuration of vmagent: the jobs and series that the alert rules need, no unbounded series."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from infra.cluster.traefik_values import DURATION_BUCKETS
from infra.monitoring.kube_state_metrics import custom_resources
from infra.monitoring.redis_exporter import queue_script
from infra.monitoring.rules import alert_rules, scrape_jobs
from infra.monitoring.rules.control_plane import SNAPSHOT_CREATED, SNAPSHOT_READY
from infra.monitoring.rules.redis import QUEUE_AGE
from infra.monitoring.rules.traffic import SLOW_SECONDS
from infra.monitoring.scraping import WITH_ETCD_METRICS, configuration
from infra.monitoring.series import METRICS, metrics_pattern
from infra.settings.schema import Settings
from tests.unit.capture import Capture, full_settings

Job = Mapping[str, Any]


@pytest.fixture(scope="module")
def settings() -> Settings:
    values = {key.removeprefix("honeydue:"): value for key, value in full_settings().items()}
    return Settings.model_validate({key: value for key, value in values.items() if key in FIELDS})


FIELDS = {field.alias or name for name, field in Settings.model_fields.items()}


@pytest.fixture(scope="module")
def jobs(settings: Settings) -> Mapping[str, Job]:
    assert settings.monitoring
    document: Any = json.loads(json.dumps(configuration(settings, settings.monitoring)))
    return {job["job_name"]: job for job in document["scrape_configs"]}


def test_the_jobs_are_those_of_the_rules(settings: Settings, jobs: Mapping[str, Job]) -> None:
    assert jobs.keys() == set(scrape_jobs(settings))


OF_EVERY_SCRAPE = {"up", "scrape_series_limit_samples_dropped"}
"""vmagent adds these after relabeling."""


def test_every_series_that_a_rule_needs_is_kept(settings: Settings) -> None:
    checked = set()
    for rule in alert_rules(settings, origin_certificate_expiry=1):
        for series in (*rule.series, *rule.events):
            if rule.exporters != ("api",) and series not in OF_EVERY_SCRAPE:
                # A rule may need the series of several jobs.
                assert any(re.fullmatch(metrics_pattern(job), series) for job in rule.exporters), (rule.name, series)
                checked.add(rule.exporter)
    assert checked >= {
        "traefik",
        "cadvisor",
        "apiserver",
        "etcd",
        "kube-state-metrics",
        "node-exporter",
        "redis-exporter",
    }


def test_k3s_components_are_not_kept_twice() -> None:
    """The endpoints of the kubelet and of the API server return the series of both."""
    for series in ("kubelet_running_pods", "apiserver_storage_size_bytes", "etcd_request_duration_seconds_count"):
        assert sum(bool(re.fullmatch(metrics_pattern(job), series)) for job in ("kubelet", "apiserver", "etcd")) == 1, (
            series
        )
    for series in (
        "apiserver_request_duration_seconds_bucket",
        "apiserver_request_total",
        "rest_client_requests_total",
    ):
        assert not any(re.fullmatch(metrics_pattern(job), series) for job in METRICS), series


def test_every_series_has_the_node_on_which_it_was_scraped(jobs: Mapping[str, Job], full_example: Capture) -> None:
    for name, job in jobs.items():
        assert {"target_label": "node", "replacement": "%{NODE_NAME}"} in job["relabel_configs"], name
    (container,) = full_example.resource("DaemonSet", "vmagent").inputs["spec"]["template"]["spec"]["containers"]
    fields = {variable["name"]: variable["valueFrom"]["fieldRef"]["fieldPath"] for variable in container["env"]}
    assert fields == {"NODE_NAME": "spec.nodeName", "HOST_IP": "status.hostIP"}
    assert f"--remoteWrite.label=cluster={full_example.settings['honeydue:domain']}" in container["args"]


def test_targets_are_on_the_same_node_only(jobs: Mapping[str, Job]) -> None:
    for name, job in jobs.items():
        for discovery in job.get("kubernetes_sd_configs", []):
            (selector,) = discovery["selectors"]
            field = {"node": "metadata.name", "pod": "spec.nodeName"}[discovery["role"]]
            assert selector["field"] == f"{field}=%{{NODE_NAME}}", name
        for target in job.get("static_configs", []):
            assert re.fullmatch(r"(%\{HOST_IP\}|127\.0\.0\.1):\d+", target["targets"][0]), name


def test_tokens_are_only_sent_over_verified_tls(jobs: Mapping[str, Job]) -> None:
    with_token = {name for name, job in jobs.items() if "bearer_token_file" in job}
    assert with_token == {"kubelet", "cadvisor", "apiserver"}
    for name in with_token:
        assert jobs[name]["scheme"] == "https"
        assert jobs[name]["tls_config"].keys() == {"ca_file"}


def test_series_with_the_id_of_a_user_or_a_task_are_dropped(jobs: Mapping[str, Job]) -> None:
    (rule,) = jobs["api"]["metric_relabel_configs"]
    assert {"user_id", "task_id"} <= set(rule["source_labels"])
    # Joined without a separator, so that one label with a value is enough.
    assert (rule["action"], rule["separator"], rule["regex"]) == ("drop", "", ".+")
    assert jobs["api"]["sample_limit"] > 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["server", "--etcd-expose-metrics", "true"], True),
        (["server", "--etcd-expose-metrics", "true", "--tls-san", "a"], True),
        (["server", "--etcd-expose-metrics"], True),
        (["server", "--etcd-expose-metrics", "--tls-san", "a"], True),
        (["server", "--etcd-expose-metrics", "false"], False),
        (["server", "--etcd-expose-metrics", "false", "--tls-san", "a"], False),
        (["server", "--tls-san", "a"], False),
    ],
)
def test_etcd_is_scraped_where_k3s_exposes_its_metrics(
    jobs: Mapping[str, Job], arguments: list[str], expected: bool
) -> None:
    annotation = json.dumps(arguments, separators=(",", ":"))
    assert (re.fullmatch(WITH_ETCD_METRICS, annotation) is not None) == expected
    assert WITH_ETCD_METRICS in str(jobs["etcd"]["relabel_configs"]).replace("\\\\", "\\")


def test_the_buckets_of_a_histogram_are_around_the_thresholds() -> None:
    assert SLOW_SECONDS in DURATION_BUCKETS
    index = DURATION_BUCKETS.index(SLOW_SECONDS)
    assert DURATION_BUCKETS[index - 1] >= SLOW_SECONDS * 0.75
    assert DURATION_BUCKETS[index + 1] <= SLOW_SECONDS * 1.25
    assert list(DURATION_BUCKETS) == sorted(DURATION_BUCKETS)


def test_exporters_name_the_series_as_the_rules_do() -> None:
    resources: Any = custom_resources()["spec"]
    (resource,) = resources["resources"]
    assert resource["metricNamePrefix"] == ""
    assert [metric["name"] for metric in resource["metrics"]] == [SNAPSHOT_CREATED, SNAPSHOT_READY]
    # Several snapshots of one server have series of their own.
    assert "name" in resource["labelsFromPath"]
    assert f"'{QUEUE_AGE}'" in queue_script()
