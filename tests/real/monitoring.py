"""Helpers for the tests of metrics and alerts: a world with monitoring, its scrape jobs, and the mails that it sent."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ops import stackfile
from rehearsal.engine.configuration import read_stack_settings
from rehearsal.external.mail_server import Mail, MailServer
from rehearsal.external.metrics_database import MetricsDatabase, Sample
from rehearsal.real_nodes.cluster_config import mail_server, metrics_database
from rehearsal.traefik import daemonset
from rehearsal.traefik.chart import chart_values
from rehearsal.world.world import World
from tests.rehearsal.cluster import record_option
from tests.rehearsal.operator import editable_copy

NAMESPACES = ("monitoring", "node-exporter")
SETTINGS: Mapping[str, object] = {
    "monitoring": {"url": "https://obs.example.com", "username": "cluster"},
    # Few requests raise the number of pods, also on a busy machine, and few seconds without requests lower it.
    "scale.api": {"min": 3, "max": 6, "cpuPercent": 5, "scaleDown": {"stabilization": "15s"}},
}
SECRETS = ("metricsPassword", "emailPassword", "redisPassword")
"""The settings with secrets that parts of monitoring read."""

OF_THE_MACHINE = r"The disk of|of the memory of|requests to api have taken longer"
"""The subjects of mails about the machine that runs the tests. All nodes have its disk and its memory, and api is slow
while it does other work."""


def project(folder: Path) -> Path:
    """A copy of the program whose settings switch monitoring on."""
    editable_copy(folder)
    for path, value in SETTINGS.items():
        stackfile.set_value(folder / "Pulumi.prod.yaml", f"honeydue:{path}", value)
    return folder


def apply(world: World) -> None:
    """Applies the program to a cluster whose servers expose the metrics of etcd, and installs Traefik."""
    record_option(world, "--etcd-expose-metrics")
    world.pulumi("up", "--yes", "--skip-preview")
    daemonset.install(world.kubectl_client(), chart_values(world.kubectl_client()))


def obs(world: World) -> MetricsDatabase:
    """The metrics database of the world."""
    server = metrics_database(world.layout, read_stack_settings(world.settings_file))
    assert server is not None
    return server


def mailbox(world: World) -> MailServer:
    """The mail server of the world."""
    server = mail_server(world.layout, read_stack_settings(world.settings_file))
    assert server is not None
    return server


@dataclass(frozen=True, kw_only=True)
class ScrapeJob:
    """A scrape job, and the nodes whose vmagent must have a target of it."""

    name: str
    nodes: frozenset[str]


def scrape_jobs(world: World) -> Sequence[ScrapeJob]:
    """The jobs of vmagent's configuration in the cluster."""
    config = world.kubectl_json("get", "configmap", "vmagent", "--namespace=monitoring")
    (text,) = config["data"].values()
    return [
        ScrapeJob(name=job["job_name"], nodes=frozenset(_nodes(world, job)))
        for job in yaml.safe_load(text)["scrape_configs"]
    ]


def _nodes(world: World, job: Mapping[str, Any]) -> Sequence[str]:
    for discovery in job.get("kubernetes_sd_configs", ()):
        if discovery["role"] == "pod":
            (namespace,), (selector,) = discovery["namespaces"]["names"], discovery["selectors"]
            return pod_nodes(world, namespace, selector["label"])
    # On every node, all of which are servers.
    return [node["metadata"]["name"] for node in world.kubectl_json("get", "nodes")["items"]]


def pod_nodes(world: World, namespace: str, selector: str) -> list[str]:
    """The node of each pod that runs."""
    pods = world.kubectl_json("get", "pods", f"--namespace={namespace}", f"--selector={selector}")["items"]
    return [
        pod["spec"]["nodeName"]
        for pod in pods
        if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
    ]


def by_node(samples: Sequence[Sample]) -> Mapping[str, float]:
    """The value of each node."""
    return {sample.labels["node"]: sample.value for sample in samples}


def rehearsed(mails: Sequence[Mail]) -> Sequence[Mail]:
    """The mails except those about the machine that runs the tests."""
    return [mail for mail in mails if not re.search(OF_THE_MACHINE, mail.subject)]


def assert_subjects(mails: Sequence[Mail], *patterns: str) -> None:
    """The subjects of the mails match these regular expressions, in this order, and there is no other mail."""
    subjects = [mail.subject for mail in mails]
    assert len(subjects) == len(patterns), subjects
    for subject, pattern in zip(subjects, patterns, strict=True):
        assert re.search(pattern, subject), subjects


def readable_objects(world: World) -> str:
    """All objects of the cluster except Secrets, as JSON."""
    kinds = world.kubectl("api-resources", "--verbs=list", "--output=name").split()
    listed = ",".join(kind for kind in kinds if kind != "secrets" and not kind.endswith(".metrics.k8s.io"))
    return json.dumps(world.kubectl_json("get", listed, "--all-namespaces"))
