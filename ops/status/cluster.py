"""The lines about the cluster: nodes, pods, the migration and the etcd snapshots."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from infra.monitoring.rules.control_plane import SNAPSHOT_HOURS
from infra.names import MIGRATION, NAMESPACE
from infra.settings.schema import Settings
from ops.conditions import condition, is_true
from ops.json_paths import dig
from ops.kubernetes import Cluster, Object
from ops.status.backups import backup_lines
from ops.status.line import Line, checked, problem
from ops.status.release import release_lines
from ops.status.times import age

PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
SNAPSHOT = ("k3s.cattle.io/v1", "ETCDSnapshotFile")
"""k3s creates one for each file (https://docs.k3s.io/cli/etcd-snapshot#list-snapshots)."""
DELETION_GRACE = timedelta(minutes=1)
"""After its time, a pod is deleted within seconds, unless its node does not respond."""


def cluster_lines(cluster: Cluster, settings: Settings | None, now: datetime) -> Iterator[Line]:
    """All lines that are read from the cluster. Each part that cannot be read is one line with the reason.

    Invalid settings are None. The cluster is then not compared with them.
    """
    hostnames = [node.hostname for node in settings.nodes.values()] if settings else []
    yield from checked("nodes", lambda: node_lines(cluster.nodes(), hostnames))
    if settings:
        yield from checked("release", lambda: release_lines(cluster, settings.images))
    yield from checked("pods", lambda: pod_lines(cluster.list_everywhere("v1", "Pod"), now))
    yield from checked("migration", lambda: migration_lines(cluster.list("batch/v1", "Job", NAMESPACE), now))
    if settings:
        yield from checked(
            "backups", lambda: backup_lines(cluster.list("batch/v1", "CronJob", NAMESPACE), settings.backups, now)
        )
    uploaded = bool(settings and settings.snapshots)
    yield from checked("snapshots", lambda: snapshot_lines(cluster.list_everywhere(*SNAPSHOT), now, uploaded=uploaded))


def node_lines(nodes: Collection[Object], declared: Collection[str]) -> Iterator[Line]:
    """One line for all nodes that are well, and one for each problem."""
    versions: dict[str, int] = {}
    ready = 0
    problems: list[Line] = []
    for node in nodes:
        name, version = node["metadata"]["name"], str(dig(node, "status", "nodeInfo", "kubeletVersion"))
        versions[version] = versions.get(version, 0) + 1
        if is_true(node, "Ready"):
            ready += 1
        else:
            problems.append(
                problem("nodes", f"{name} is not Ready: {condition(node, 'Ready').get('reason', 'no status')}")
            )
        problems += [problem("nodes", f"{name} has {kind}") for kind in PRESSURES if is_true(node, kind)]
        if dig(node, "spec", "unschedulable"):
            problems.append(
                problem("nodes", f"{name} is cordoned. When its maintenance is over: kubectl uncordon {name}")
            )
    names = {node["metadata"]["name"] for node in nodes}
    problems += [problem("nodes", f"{name} is not in the cluster") for name in declared if name not in names]
    shown = ", ".join(f"{version} × {count}" for version, count in sorted(versions.items()))
    yield Line(subject="nodes", text=f"{ready} of {max(len(names), len(declared))} Ready, {shown or 'no version'}")
    yield from problems


def pod_lines(pods: Collection[Object], now: datetime) -> Iterator[Line]:
    """One line for each pod that is not ready, in all namespaces. Pods that have completed are not among them."""
    problems = [
        problem("pods", f"{pod['metadata']['namespace']}/{pod['metadata']['name']}: {reason}")
        for pod in pods
        if (reason := not_ready(pod, now))
    ]
    yield from problems or [Line(subject="pods", text=f"all {len(pods)} ready or completed")]


def not_ready(pod: Object, now: datetime) -> str | None:
    """Why the pod is not ready, or None.

    A pod that failed is no problem if a controller owns it: a Deployment replaces it, and a Job has a status.
    """
    phase = dig(pod, "status", "phase")
    if deletion := pod["metadata"].get("deletionTimestamp"):
        due = datetime.fromisoformat(deletion)
        node = dig(pod, "spec", "nodeName")
        return f"is being deleted for {age(due, now)} on node {node}" if now - due > DELETION_GRACE else None
    if phase == "Succeeded" or (phase == "Failed" and pod["metadata"].get("ownerReferences")) or is_true(pod, "Ready"):
        return None
    reasons = [str(reason) for reason in _container_reasons(pod) if reason]
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        reasons.append(scheduled.get("reason", ""))
    since = age(datetime.fromisoformat(pod["metadata"]["creationTimestamp"]), now)
    return f"{', '.join(dict.fromkeys(reasons)) or phase or 'no status'}, created {since} ago"


def _container_reasons(pod: Object) -> Iterator[object]:
    """The reasons of containers that wait or have ended, for example CrashLoopBackOff. Messages may contain secrets."""
    status = pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        if not container.get("ready"):
            state = container.get("state") or {}
            yield dig(state, "waiting", "reason")
            if dig(state, "terminated", "reason") != "Completed":
                yield dig(state, "terminated", "reason")


def migration_lines(jobs: Collection[Object], now: datetime) -> Iterator[Line]:
    """When the last migration completed, or why it failed."""
    job = next((job for job in jobs if job["metadata"]["name"] == MIGRATION), None)
    if job is None:
        yield problem("migration", f"Job {MIGRATION} does not exist in {NAMESPACE}")
        return
    complete, failed = condition(job, "Complete"), condition(job, "Failed")
    if complete.get("status") == "True":
        completed = datetime.fromisoformat(complete["lastTransitionTime"])
        yield Line(subject="migration", text=f"completed {age(completed, now)} ago, {completed:%Y-%m-%d %H:%M} UTC")
    elif failed.get("status") == "True":
        yield problem(
            "migration",
            f"failed ({failed.get('reason')}): kubectl -n {NAMESPACE} logs job/{MIGRATION}",
        )
    else:
        created = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
        yield Line(subject="migration", text=f"runs for {age(created, now)}")


def snapshot_lines(files: Collection[Object], now: datetime, *, uploaded: bool) -> Iterator[Line]:
    """The newest etcd snapshot that can be restored: of those in the bucket if the settings have one."""
    place = "in the bucket" if uploaded else "on the nodes"
    usable = [
        file
        for file in files
        if dig(file, "status", "readyToUse")
        and dig(file, "status", "creationTime")
        and (bool(dig(file, "spec", "s3")) or not uploaded)
    ]
    newest = max(usable, key=lambda file: datetime.fromisoformat(file["status"]["creationTime"]), default=None)
    if newest is None:
        yield problem("snapshots", f"no etcd snapshot {place} (docs/restore.md)")
        return
    created = datetime.fromisoformat(newest["status"]["creationTime"])
    text = f"last etcd snapshot {place} {age(created, now)} ago, by {dig(newest, 'spec', 'nodeName')}"
    is_old = now - created > timedelta(hours=SNAPSHOT_HOURS)
    yield problem("snapshots", text) if is_old else Line(subject="snapshots", text=text)
