"""`make release` in a world: confirmed, declined, refused, and with a failed migration."""

import shlex

import pytest

from ops.stackfile import load
from rehearsal.control_plane.flags import STAGES
from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE, items, rolled, snapshot
from tests.rehearsal.operator import ops, press_ctrl_c, start_ops
from tests.retry import attempts

LOG = (STAGES / "pod.log").read_text().partition(" F ")[2].strip()
"""The log of every pod that kwok simulates."""


def images(world: World, app: str) -> set[str]:
    """The tags in the pods of an app. Each of them must have a digest."""
    references = [pod["spec"]["containers"][0]["image"].partition("@") for pod in items(world, "pods", app)]
    assert {digest[:7] for _, _, digest in references} == {"sha256:"}
    return {name.rpartition(":")[2] for name, _, _ in references}


def setting(world: World, app: str) -> str:
    """The image of an app in the settings, with its digest."""
    return str(load(world.layout.config)["config"]["honeydue:images"][app])


def test_a_confirmed_release_replaces_the_pods(production: World) -> None:
    before = snapshot(production)
    completed = ops(production, "release", "--stack", "prod", "--api", "released-1", answer="y\n")
    assert completed.returncode == 0, completed.stdout
    assert rolled(before, snapshot(production)) == {"api", "worker"}
    assert images(production, "api") == images(production, "worker") == {"released-1"}
    production.pulumi("preview", "--expect-no-changes")
    drift = ops(production, "drift", "--stack", "prod")
    assert drift.returncode == 0, drift.stdout


@pytest.mark.parametrize(
    ("answer", "node", "status"), [("n\n", "unchanged", 0), ("y\n", "removed", 1)], ids=["declined", "refused"]
)
def test_a_declined_or_refused_release_changes_neither_settings_nor_pods(
    production: World, answer: str, node: str, status: int
) -> None:
    original = production.layout.config.read_text()
    if node == "removed":
        # Another change of the settings, which the release would apply, too.
        production.set_config("honeydue:nodes.hetzner3", None)
    settings, before = production.layout.config.read_text(), snapshot(production)
    try:
        refused = ops(production, "release", "--stack", "prod", "--web", "never-released", answer=answer)
        assert refused.returncode == status
        assert ("Server::hetzner3 would be deleted" in refused.stdout) == (node == "removed")
        assert production.layout.config.read_text() == settings
        assert snapshot(production) == before
    finally:
        production.layout.config.write_text(original)


def test_a_failed_migration_keeps_the_old_pods_and_prints_its_log_and_the_next_commands(production: World) -> None:
    settings, before = production.layout.config.read_text(), snapshot(production)
    api, worker = setting(production, "api"), setting(production, "worker")
    failed = ops(production, "release", "--stack", "prod", "--api", "bad-migration-2", "--yes")
    assert failed.returncode != 0
    assert "Traceback" not in failed.stdout
    (job,) = (job["metadata"]["name"] for job in items(production, "jobs") if job["metadata"]["uid"] not in before.jobs)
    message = failed.stdout.partition(f"Job {job}: BackoffLimitExceeded")[2]
    assert LOG in message
    assert "make release STACK=prod API=<its commit>" in message
    after = snapshot(production)
    assert (after.pods, after.generations) == (before.pods, before.generations)

    # The printed command restores the previous release.
    assert f"make release STACK=prod API={api} WORKER={worker}" in message
    restored = ops(production, "release", "--stack", "prod", "--api", api, "--worker", worker, "--yes")
    assert restored.returncode == 0, restored.stdout
    after = snapshot(production)
    assert (after.pods, after.generations) == (before.pods, before.generations)
    assert production.layout.config.read_text() == settings


def test_a_migration_that_exceeds_its_deadline_has_no_log(production: World) -> None:
    production.set_config("honeydue:database.migrationDeadlineSeconds", 10)
    (tag,) = images(production, "api")
    failed = ops(production, "release", "--stack", "prod", "--api", "hanging-migration-2", "--yes")
    production.set_config("honeydue:database.migrationDeadlineSeconds", 600)
    assert failed.returncode != 0
    message = failed.stdout.partition("DeadlineExceeded: ")[2]
    assert "its pod is deleted" in message
    assert ops(production, "release", "--stack", "prod", "--api", tag, "--yes").returncode == 0


def test_the_printed_way_back_from_an_interrupted_release_puts_everything_back(production: World) -> None:
    (tag,), before = images(production, "api"), snapshot(production)
    settings = production.layout.config.read_text()
    way_back = f"make release STACK=prod API={setting(production, 'api')} WORKER={setting(production, 'worker')}"
    (worker,) = items(production, "pods", "worker")
    by_hand = worker["spec"]["containers"][0]["image"].replace(f":{tag}", ":by-hand")
    production.kubectl("set", "image", "-n", NAMESPACE, "deployment/worker", f"*={by_hand}")
    refused = ops(production, "release", "--stack", "prod", "--api", "never-ready-1", "--yes")
    assert refused.returncode == 1
    image = '.spec.template.spec.containers[name="worker"].image'
    assert f"Deployment::worker: kubectl-set changed {image} outside of this program." in refused.stdout
    assert "run the same command with REFRESH=1" in refused.stdout
    assert "registry/packages/kubernetes" not in refused.stdout
    assert production.layout.config.read_text() == settings

    interrupted = start_ops(production, "release", "--stack", "prod", "--api", "never-ready-1", "--refresh", "--yes")
    for attempt in attempts(seconds=120):
        with attempt:
            assert "never-ready-1" in images(production, "api")
    output = press_ctrl_c(interrupted)
    assert f"To roll back to the last complete release: {way_back}" in output
    assert f":{tag}@sha256:" in production.outputs()["images"]["api"]

    options = [f"--{name.lower()}={value}" for name, value in (pair.split("=") for pair in shlex.split(way_back)[3:])]
    restored = ops(production, "release", "--stack", "prod", *options, "--yes")
    assert restored.returncode == 0, restored.stdout
    assert "The last update of prod failed or was stopped." in restored.stdout
    after = snapshot(production)
    assert images(production, "api") == images(production, "worker") == {tag}
    assert {app: len(pods) for app, pods in after.pods.items()} == {app: len(pods) for app, pods in before.pods.items()}
    assert production.layout.config.read_text() == settings
