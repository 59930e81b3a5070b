"""No new pod of api or worker before its migration succeeded; no old pod lost when it fails."""

from rehearsal.world.world import World
from tests.rehearsal.cluster import items, rolled, snapshot, time, untouched

ALL = {"api", "worker", "admin", "web", "redis"}


def release(world: World, tag: str) -> None:
    """As an operator releases: new images of the backend."""
    world.set_config("honeydue:images.api", tag)
    world.set_config("honeydue:images.worker", tag)


def test_a_release_runs_one_new_job_and_rolls_only_after_it(production: World) -> None:
    before = snapshot(production)
    release(production, "release-2")
    production.pulumi("up", "--yes", "--skip-preview")
    after = snapshot(production)

    (job,) = (one for one in items(production, "jobs") if one["metadata"]["uid"] not in before.jobs)
    assert job["spec"]["template"]["spec"]["containers"][0]["image"].endswith("honeydue-api:release-2")
    completed = time(job["status"]["completionTime"])
    for app in ("api", "worker"):
        new = [one for one in items(production, "pods", app) if one["metadata"]["uid"] not in before.pods[app]]
        assert new
        for pod in new:
            assert pod["spec"]["containers"][0]["image"].endswith(":release-2")
            assert time(pod["metadata"]["creationTimestamp"]) >= completed, app
    assert rolled(before, after) == {"api", "worker"}
    assert untouched(before, after) == ALL - {"api", "worker"}


def test_a_failing_migration_leaves_the_old_pods_serving_and_the_next_up_recovers(production: World) -> None:
    before = snapshot(production)
    release(production, "bad-migration-1")
    failed = production.pulumi("up", "--yes", "--skip-preview", check=False)
    assert failed.returncode != 0
    said = failed.stdout + failed.stderr
    assert "the old ones keep serving" in said
    (job,) = (one["metadata"]["name"] for one in items(production, "jobs") if one["metadata"]["uid"] not in before.jobs)
    assert f"kubectl -n honeydue logs job/{job}" in said
    assert "Traceback" not in said
    after = snapshot(production)
    assert (after.pods, after.generations) == (before.pods, before.generations)

    # The same image again: a fresh Job is tried, not the failed one awaited.
    tried = {one["metadata"]["uid"] for one in items(production, "jobs")}
    assert production.pulumi("up", "--yes", "--skip-preview", check=False).returncode != 0
    assert {one["metadata"]["uid"] for one in items(production, "jobs")} - tried

    release(production, "release-3")
    production.pulumi("up", "--yes", "--skip-preview")
    assert rolled(before, snapshot(production)) == {"api", "worker"}
    assert all(one["status"].get("succeeded") == 1 for one in items(production, "jobs"))


def test_a_hanging_migration_is_ended_by_its_deadline_and_the_next_up_recovers(production: World) -> None:
    production.set_config("honeydue:database.migrationDeadlineSeconds", 10)
    before = snapshot(production)
    release(production, "hanging-migration-1")
    failed = production.pulumi("up", "--yes", "--skip-preview", check=False)
    assert failed.returncode != 0
    assert "DeadlineExceeded" in failed.stdout + failed.stderr
    after = snapshot(production)
    assert (after.pods, after.generations) == (before.pods, before.generations)

    production.set_config("honeydue:database.migrationDeadlineSeconds", 600)
    release(production, "release-4")
    production.pulumi("up", "--yes", "--skip-preview")
    assert rolled(before, snapshot(production)) == {"api", "worker"}


def test_a_change_of_configuration_rolls_its_readers_and_migrates_nothing(production: World) -> None:
    before = snapshot(production)
    production.set_config("honeydue:environment.EMAIL_PORT", "465")
    production.pulumi("up", "--yes", "--skip-preview")
    after = snapshot(production)
    assert rolled(before, after) == {"api", "worker"}
    assert untouched(before, after) == ALL - {"api", "worker"}
    assert after.jobs == before.jobs


def test_the_switch_to_the_direct_host_rolls_api_and_worker_and_migrates_nothing(production: World) -> None:
    before = snapshot(production)
    production.set_config("honeydue:database.endpoint", "direct")
    production.pulumi("up", "--yes", "--skip-preview")
    after = snapshot(production)
    assert rolled(before, after) == {"api", "worker"}
    assert after.jobs == before.jobs
    (config,) = (one for one in items(production, "configmaps") if one["metadata"]["name"] == "honeydue-config")
    assert "-pooler" not in config["data"]["DB_HOST"]


def test_a_rotated_redis_password_rolls_whoever_reads_it(production: World) -> None:
    before = snapshot(production)
    production.pulumi("config", "set", "--secret", "honeydue:redisPassword", "another-rehearsal-password")
    production.pulumi("up", "--yes", "--skip-preview")
    after = snapshot(production)
    assert rolled(before, after) == {"api", "worker", "redis"}
    assert untouched(before, after) == {"admin", "web"}
    assert after.jobs == before.jobs
