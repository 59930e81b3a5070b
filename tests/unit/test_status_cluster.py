"""`make status`: the lines about nodes, release, pods, migration, snapshots and certificates."""

import base64
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from infra.kubeconfig import Credentials, inline_kubeconfig
from infra.monitoring.rules.control_plane import notice_days
from ops.kubernetes import Object
from ops.status.cluster import migration_lines, node_lines, pod_lines, snapshot_lines
from ops.status.line import Line, Result
from ops.status.release import running_images
from ops.status.stack import kubeconfig_lines, origin_certificate_lines
from ops.status.times import age

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
VERSION = "v1.34.6+k3s1"


def ago(**time: float) -> str:
    return (NOW - timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%SZ")


def texts(lines: Iterable[Line], result: Result = Result.PROBLEM) -> list[str]:
    return [line.text for line in lines if line.result is result]


def conditions(**statuses: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, "reason": kind} for kind, status in statuses.items()]}


def node(name: str, *, version: str = VERSION, cordoned: bool = False, **statuses: str) -> Object:
    return {
        "metadata": {"name": name},
        "spec": {"unschedulable": True} if cordoned else {},
        "status": {**conditions(Ready="True", **statuses), "nodeInfo": {"kubeletVersion": version}},
    }


def test_nodes_that_are_well_are_one_line() -> None:
    lines = list(node_lines([node("one"), node("two", DiskPressure="False")], ["one", "two"]))
    assert lines == [Line(subject="nodes", text=f"2 of 2 Ready, {VERSION} × 2")]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([{**node("one"), "status": conditions(Ready="Unknown")}], "one is not Ready: Ready"),
        ([node("one", DiskPressure="True")], "one has DiskPressure"),
        ([node("one", MemoryPressure="True")], "one has MemoryPressure"),
        ([node("one", cordoned=True)], "one is cordoned. When its maintenance is over: kubectl uncordon one"),
        ([], "one is not in the cluster"),
    ],
)
def test_a_node_that_is_not_well_is_a_problem(nodes: list[Object], expected: str) -> None:
    assert texts(node_lines(nodes, ["one"])) == [expected]


def test_the_versions_of_nodes_are_counted() -> None:
    (line,) = node_lines([node("one"), node("two", version="v1.35.0+k3s1")], [])
    assert line.text == "2 of 2 Ready, v1.34.6+k3s1 × 1, v1.35.0+k3s1 × 1"


def pod(phase: str, *, owned: bool = True, status: dict[str, Any] | None = None, **metadata: object) -> Object:
    owner = {"ownerReferences": [{"kind": "ReplicaSet"}]} if owned else {}
    return {
        "metadata": {"namespace": "apps", "name": "a", "creationTimestamp": ago(minutes=7), **owner, **metadata},
        "spec": {"nodeName": "one"},
        "status": {"phase": phase, **(status or {})},
    }


def waiting(reason: str) -> dict[str, Any]:
    return {
        "containerStatuses": [
            {"ready": True, "state": {"terminated": {"reason": "Error"}}},
            {"ready": False, "state": {"waiting": {"reason": reason, "message": "password=hunter2"}}},
        ]
    }


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ([pod("Running", status=conditions(Ready="True"))], []),
        ([pod("Succeeded"), pod("Failed")], []),
        ([pod("Running", deletionTimestamp=ago(seconds=30))], []),
        ([pod("Failed", owned=False)], ["apps/a: Failed, created 7 min ago"]),
        ([pod("Running", status=waiting("CrashLoopBackOff"))], ["apps/a: CrashLoopBackOff, created 7 min ago"]),
        ([pod("Running", status=conditions(Ready="False"))], ["apps/a: Running, created 7 min ago"]),
        (
            [pod("Pending", status=conditions(PodScheduled="False"))],
            ["apps/a: PodScheduled, created 7 min ago"],
        ),
        ([pod("Running", deletionTimestamp=ago(minutes=9))], ["apps/a: is being deleted for 9 min on node one"]),
    ],
)
def test_a_pod_that_is_not_ready_is_a_problem(pods: list[Object], expected: list[str]) -> None:
    lines = list(pod_lines(pods, NOW))
    assert texts(lines) == expected
    assert texts(lines, Result.OK) == ([] if expected else [f"all {len(pods)} ready or completed"])


def job(*statuses: dict[str, str], name: str = "migrate") -> Object:
    return {
        "metadata": {"name": name, "creationTimestamp": ago(minutes=3)},
        "status": {"conditions": [{"status": "True", **status} for status in statuses]},
    }


def test_a_complete_migration_has_its_time() -> None:
    lines = migration_lines([job({"type": "Complete", "lastTransitionTime": ago(hours=5)})], NOW)
    assert texts(lines, Result.OK) == ["completed 5 h ago, 2026-11-26 07:00 UTC"]


def test_a_running_migration_is_no_problem() -> None:
    assert texts(migration_lines([job()], NOW), Result.OK) == ["runs for 3 min"]


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ([], "Job migrate does not exist in honeydue"),
        ([job(name="migrate-by-hand")], "Job migrate does not exist in honeydue"),
        (
            [job({"type": "Failed", "reason": "BackoffLimitExceeded"})],
            "failed (BackoffLimitExceeded): kubectl -n honeydue logs job/migrate",
        ),
    ],
)
def test_a_failed_or_missing_migration_is_a_problem(jobs: list[Object], expected: str) -> None:
    assert texts(migration_lines(jobs, NOW)) == [expected]


def snapshot(hours: float, *, ready: bool = True, uploaded: bool = False) -> Object:
    return {
        "spec": {"nodeName": "one", **({"s3": {"bucket": "b"}} if uploaded else {})},
        "status": {"readyToUse": ready, "creationTime": ago(hours=hours)},
    }


@pytest.mark.parametrize(
    ("files", "uploaded", "text"),
    [
        ([snapshot(30), snapshot(3)], False, "last etcd snapshot on the nodes 3 h ago, by one"),
        ([snapshot(3), snapshot(4, uploaded=True)], True, "last etcd snapshot in the bucket 4 h ago, by one"),
    ],
)
def test_the_newest_usable_snapshot_is_shown(files: list[Object], uploaded: bool, text: str) -> None:
    assert texts(snapshot_lines(files, NOW, uploaded=uploaded), Result.OK) == [text]


@pytest.mark.parametrize(
    ("files", "uploaded", "expected"),
    [
        ([], False, "no etcd snapshot on the nodes"),
        ([snapshot(3)], True, "no etcd snapshot in the bucket"),
        ([snapshot(3, ready=False)], False, "no etcd snapshot on the nodes"),
        ([snapshot(25)], False, "last etcd snapshot on the nodes 25 h ago"),
    ],
)
def test_a_missing_or_old_snapshot_is_a_problem(files: list[Object], uploaded: bool, expected: str) -> None:
    (problem,) = texts(snapshot_lines(files, NOW, uploaded=uploaded))
    assert problem.startswith(expected)


def test_only_pods_that_run_or_start_have_the_images_of_a_release() -> None:
    deployment: Object = {"spec": {"selector": {"matchLabels": {"app": "api"}}}}

    def app_pod(image: str, phase: str = "Running", **metadata: object) -> Object:
        return {
            "metadata": {"labels": {"app": "api", "hash": "1"}, **metadata},
            "spec": {"containers": [{"image": image}]},
            "status": {"phase": phase},
        }

    pods: Collection[Object] = [
        app_pod("a:1"),
        app_pod("a:2", "Pending"),
        app_pod("a:3", "Failed"),
        app_pod("a:4", deletionTimestamp=ago(seconds=1)),
        app_pod("b:1", labels={"app": "web"}),
    ]
    assert running_images(deployment, pods) == ["a:1", "a:2"]


def certificate_for(days: float) -> str:
    """A kubeconfig whose client certificate expires after this time."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    expires = NOW + timedelta(days=days)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(expires - timedelta(days=365))
        .not_valid_after(expires)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM).decode()
    credentials = Credentials(ca_certificate="", client_certificate=pem, client_key="hunter2")
    return inline_kubeconfig(credentials, server="https://192.0.2.1:6443", context="default")


@pytest.mark.parametrize(
    ("days", "result", "text"),
    [
        (40, Result.OK, "kubeconfig expires on 2027-01-05, in 40 days"),
        (29, Result.PROBLEM, "kubeconfig expires on 2026-12-25, in 29 days: "),
        (-1, Result.PROBLEM, "kubeconfig expired on 2026-11-25: "),
    ],
)
def test_a_kubeconfig_is_reported_a_month_before_it_expires(days: int, result: Result, text: str) -> None:
    (line,) = kubeconfig_lines(certificate_for(days), "default", NOW, renew="x")
    assert line.result is result
    assert line.text.startswith(text)


@pytest.mark.parametrize(
    "kubeconfig", ["hunter2", "{", "contexts: hunter2", certificate_for(9).replace("default", "x")]
)
def test_an_unreadable_kubeconfig_is_not_quoted(kubeconfig: str) -> None:
    (line,) = kubeconfig_lines(kubeconfig, "default", NOW, renew="x")
    assert line.result is Result.UNCHECKED
    assert "hunter2" not in line.text


def test_the_first_certificate_of_the_user_of_the_context_counts() -> None:
    """k3s appends the certificate of its CA, and a kubeconfig may have other users."""
    content = yaml.safe_load(certificate_for(9))
    (user,) = content["users"]
    pems = [
        base64.b64decode(item["users"][0]["user"]["client-certificate-data"])
        for item in (content, yaml.safe_load(certificate_for(3650)))
    ]
    user["user"]["client-certificate-data"] = base64.b64encode(b"".join(pems)).decode()
    content["users"].insert(0, {"name": "other", "user": {"client-certificate-data": ""}})
    (line,) = kubeconfig_lines(yaml.safe_dump(content), "default", NOW, renew="x")
    assert line == next(kubeconfig_lines(certificate_for(9), "default", NOW, renew="x"))


def test_a_kubeconfig_with_a_token_does_not_expire() -> None:
    content = {
        "contexts": [{"name": "default", "context": {"user": "ci"}}],
        "users": [{"name": "ci", "user": {"token": "hunter2"}}],
    }
    (line,) = kubeconfig_lines(yaml.safe_dump(content), "default", NOW, renew="x")
    assert (line.result, line.text) == (Result.OK, "kubeconfig has a token and no certificate")


@pytest.mark.parametrize(
    ("expires", "lifetime_days", "result"),
    [
        ("2041-11-22T15:13:00Z\n", 5475, Result.OK),
        ("2026-12-01T15:13:00Z", 5475, Result.PROBLEM),
        ("2026-12-01T15:13:00Z", 7, Result.OK),
        ("2026-11-27T15:13:00Z", 7, Result.PROBLEM),
        ("in a while", 5475, Result.UNCHECKED),
    ],
)
def test_the_origin_certificate_is_reported_a_month_before_it_expires(
    expires: str, lifetime_days: int, result: Result
) -> None:
    (line,) = origin_certificate_lines(expires, NOW, notice=notice_days(lifetime_days))
    assert line.result is result


@pytest.mark.parametrize(
    ("time", "text"),
    [({"seconds": -5}, "0 min"), ({"minutes": 119}, "119 min"), ({"hours": 47}, "47 h"), ({"days": 3}, "3 days")],
)
def test_an_age_has_one_unit(time: dict[str, float], text: str) -> None:
    assert age(NOW - timedelta(**time), NOW) == text
