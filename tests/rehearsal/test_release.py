"""`make release` in a world: agreed to, declined, refused, and with a migration that fails."""

import pytest

from rehearsal.control_plane.flags import STAGES
from rehearsal.world.world import World
from tests.rehearsal.cluster import items, rolled, snapshot
from tests.rehearsal.operator import ops

LOG = (STAGES / "pod.log").read_text().partition(" F ")[2].strip()
"""What every pod of a world says."""


def images(world: World, app: str) -> set[str]:
    return {one["spec"]["containers"][0]["image"].rpartition(":")[2] for one in items(world, "pods", app)}


def test_a_release_is_one_command_and_a_yes(production: World) -> None:
    before = snapshot(production)
    done = ops(production, "release", "--stack", "prod", "--api", "released-1", answer="y\n")
    assert done.returncode == 0, done.stdout
    assert rolled(before, snapshot(production)) == {"api", "worker"}
    assert images(production, "api") == images(production, "worker") == {"released-1"}
    production.pulumi("preview", "--expect-no-changes")


@pytest.mark.parametrize(("answer", "node"), [("n\n", "kept"), ("y\n", "removed")], ids=["declined", "refused"])
def test_what_is_not_agreed_to_leaves_settings_and_pods_as_they_were(production: World, answer: str, node: str) -> None:
    kept = production.layout.config.read_text()
    if node == "removed":
        # Somebody's other change, which would be applied together with the release.
        production.set_config("honeydue:nodes.hetzner3", None)
    was, before = production.layout.config.read_text(), snapshot(production)
    try:
        done = ops(production, "release", "--stack", "prod", "--web", "never-released", answer=answer)
        assert done.returncode == 1
        assert ("Server::hetzner3 would be deleted" in done.stdout) == (node == "removed")
        assert production.layout.config.read_text() == was
        assert snapshot(production) == before
    finally:
        production.layout.config.write_text(kept)


def test_a_failed_migration_keeps_the_old_pods_and_tells_its_log_and_both_ways_on(production: World) -> None:
    was, before = production.layout.config.read_text(), snapshot(production)
    (tag,) = images(production, "api")
    failed = ops(production, "release", "--stack", "prod", "--api", "bad-migration-2", "--yes")
    assert failed.returncode != 0
    assert "Traceback" not in failed.stdout
    (job,) = (one["metadata"]["name"] for one in items(production, "jobs") if one["metadata"]["uid"] not in before.jobs)
    told = failed.stdout.partition(f"Job {job}: BackoffLimitExceeded")[2]
    assert LOG in told
    assert "make release STACK=prod API=<its commit>" in told
    after = snapshot(production)
    assert (after.pods, after.generations) == (before.pods, before.generations)

    # The way back that it tells.
    assert f"make release STACK=prod API={tag} WORKER={tag}" in told
    back = ops(production, "release", "--stack", "prod", "--api", tag, "--worker", tag, "--yes")
    assert back.returncode == 0, back.stdout
    after = snapshot(production)
    assert (after.pods, after.generations) == (before.pods, before.generations)
    assert production.layout.config.read_text() == was


def test_a_migration_that_was_ended_by_its_deadline_has_no_log(production: World) -> None:
    production.set_config("honeydue:database.migrationDeadlineSeconds", 10)
    (tag,) = images(production, "api")
    failed = ops(production, "release", "--stack", "prod", "--api", "hanging-migration-2", "--yes")
    production.set_config("honeydue:database.migrationDeadlineSeconds", 600)
    assert failed.returncode != 0
    told = failed.stdout.partition("DeadlineExceeded: ")[2]
    assert "its pod is deleted" in told
    assert ops(production, "release", "--stack", "prod", "--api", tag, "--yes").returncode == 0
