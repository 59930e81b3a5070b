"""Moving to another registry: what runs from the old one keeps running, and nothing else starts from it."""

import json
from collections.abc import Set as AbstractSet

import pytest
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal.errors import RehearsalError
from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE, items, snapshot
from tests.rehearsal.dry_runs import manifest, pod, refusal

OLD, NEW = "gitea.treytartt.com/admin", "docker.io/honeydue"
REVISION = "deployment.kubernetes.io/revision"
OURS = ("api", "worker", "admin", "web")


def registries(world: World, *apps: str) -> AbstractSet[str]:
    """Of the images in the pods of these apps."""
    pods = [pod for app in apps for pod in items(world, "pods", app)]
    return {pod["spec"]["containers"][0]["image"].rpartition("/")[0] for pod in pods}


@retry(retry=retry_if_exception_type(AssertionError), stop=stop_after_delay(20), wait=wait_fixed(0.2), reraise=True)
def wait_for_pods(world: World, app: str, *, without: str) -> None:
    """Waits until all pods of an app are ready, and one of them has replaced this one."""
    (deployment,) = (item for item in items(world, "deployments") if item["metadata"]["name"] == app)
    assert deployment["status"].get("readyReplicas") == deployment["spec"]["replicas"]
    assert without not in {pod["metadata"]["uid"] for pod in items(world, "pods", app)}


def delete_a_pod(world: World, app: str) -> None:
    """Deletes one pod of an app, and waits for the next."""
    deleted = items(world, "pods", app)[0]["metadata"]
    world.kubectl("delete", "pod", deleted["name"], "-n", NAMESPACE)
    wait_for_pods(world, app, without=deleted["uid"])


def old_revision(world: World, app: str) -> str:
    """The ReplicaSet of the first revision of a Deployment."""
    names = {item["metadata"]["annotations"][REVISION]: item["metadata"] for item in items(world, "replicasets", app)}
    return str(names[min(names, key=int)]["name"])


def test_pods_of_the_old_registry_restart_until_the_move_is_complete_and_none_starts_afterwards(
    production: World,
) -> None:
    tag = json.loads(production.pulumi("config", "--json").stdout)["honeydue:images"]["objectValue"]["api"]
    production.set_config("honeydue:images.registry", NEW)
    production.set_config("honeydue:images.api", "bad-migration-1")
    before = snapshot(production)
    assert production.pulumi("up", "--yes", "--skip-preview", check=False).returncode != 0
    after = snapshot(production)
    assert (after.pods, after.generations) == (before.pods, before.generations)
    # The policy allows the new registry only, and every pod is from the old one.
    assert f"only images from {NEW}/" in refusal(production, manifest("Pod", pod(f"{OLD}/honeydue-api:1")))
    for app in ("api", "worker"):
        delete_a_pod(production, app)
        assert registries(production, app) == {OLD}
    production.kubectl("annotate", "deployment/web", "changed=by-hand", "-n", NAMESPACE)
    with pytest.raises(RehearsalError, match="only images from"):
        production.kubectl("set", "image", "deployment/web", f"web={OLD}/honeydue-web:other", "-n", NAMESPACE)

    production.set_config("honeydue:images.api", tag)
    production.pulumi("up", "--yes", "--skip-preview")
    production.kubectl("annotate", "deployment/web", "changed-", "-n", NAMESPACE)
    snapshot(production)
    assert registries(production, *OURS) == {NEW}
    for kind in ("Pod", "Deployment", "Job"):
        assert f"only images from {NEW}/" in refusal(production, manifest(kind, pod(f"{OLD}/honeydue-api:1")))
    revision = f"replicaset/{old_revision(production, 'web')}"
    for command in (
        ("scale", revision, "--replicas=1"),
        ("patch", revision, "--type=merge", "-p", '{"spec": {"replicas": 1}}'),
    ):
        with pytest.raises(RehearsalError, match="scale the Deployment"):
            production.kubectl(*command, "-n", NAMESPACE)
    with pytest.raises(RehearsalError, match="only images from"):
        production.kubectl("rollout", "undo", "deployment/web", "-n", NAMESPACE)

    production.set_config("honeydue:images.registry", OLD)
    production.pulumi("up", "--yes", "--skip-preview")
    snapshot(production)
    assert registries(production, *OURS) == {OLD}
    assert [job for job in items(production, "jobs") if "deletionTimestamp" in job["metadata"]] == []
    production.pulumi("preview", "--expect-no-changes")
