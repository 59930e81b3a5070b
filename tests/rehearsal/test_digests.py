"""`honeydue:requireDigests`: our images only by digest, and no pod is lost when that is turned on."""

import pytest

from ops.stackfile import load
from rehearsal.errors import RehearsalError
from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE, items, snapshot
from tests.rehearsal.dry_runs import manifest, pod, refusal
from tests.rehearsal.test_registry import delete_a_pod

OURS = ("api", "worker", "admin", "web")
DIGEST = f"sha256:{'0' * 64}"
REFUSAL = "an image of ours needs a digest"


def running(world: World, app: str) -> set[str]:
    return {pod["spec"]["containers"][0]["image"] for pod in items(world, "pods", app)}


def test_pods_without_a_digest_restart_and_none_is_set_any_more(production: World) -> None:
    images = dict(load(production.layout.config)["config"]["honeydue:images"])
    for app in OURS:
        tag = "bad-migration-1" if app in ("api", "worker") else images[app]
        production.set_config(f"honeydue:images.{app}", f"{tag}@{DIGEST}")
    production.set_config("honeydue:requireDigests", value=True)
    before = snapshot(production)
    # The migration fails, so the Deployments keep their images without digests, while the policy requires them.
    assert production.pulumi("up", "--yes", "--skip-preview", check=False).returncode != 0
    registry = images["registry"]
    for kind in ("Pod", "Deployment", "Job"):
        assert REFUSAL in refusal(production, manifest(kind, pod(f"{registry}/honeydue-api:1")))
    assert snapshot(production).pods["api"] == before.pods["api"]
    old = running(production, "api")
    assert not any("@" in image for image in old)
    delete_a_pod(production, "api")
    assert running(production, "api") == old

    for app in ("api", "worker"):
        production.set_config(f"honeydue:images.{app}", f"{images[app]}@{DIGEST}")
    production.pulumi("up", "--yes", "--skip-preview")
    snapshot(production)
    assert all(image.endswith(f"@{DIGEST}") for app in OURS for image in running(production, app))
    # The ReplicaSet of the revision before has no digest.
    with pytest.raises(RehearsalError, match=REFUSAL):
        production.kubectl("rollout", "undo", "deployment/web", "-n", NAMESPACE)
    with pytest.raises(RehearsalError, match=REFUSAL):
        production.kubectl("set", "image", "deployment/web", f"web={registry}/honeydue-web:other", "-n", NAMESPACE)
    production.pulumi("preview", "--expect-no-changes")
