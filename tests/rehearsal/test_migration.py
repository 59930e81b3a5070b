"""Pods of api and worker are replaced after the migration has succeeded. When it fails, the old pods keep running."""

import signal
import subprocess
from collections.abc import Mapping
from typing import Any

from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE, items, rolled, snapshot, timestamp, untouched
from tests.retry import attempts

ALL_APPS = {"api", "worker", "admin", "web", "redis"}


def release(world: World, tag: str) -> None:
    """Sets new images of api and worker."""
    world.set_config("honeydue:images.api", tag)
    world.set_config("honeydue:images.worker", tag)


def test_a_release_replaces_pods_after_its_job_has_completed(production: World) -> None:
    before = snapshot(production)
    release(production, "release-2")
    production.pulumi("up", "--yes", "--skip-preview")
    after = snapshot(production)

    (job,) = (job for job in items(production, "jobs") if job["metadata"]["uid"] not in before.jobs)
    assert job["spec"]["template"]["spec"]["containers"][0]["image"].endswith("honeydue-api:release-2")
    completed = timestamp(job["status"]["completionTime"])
    for app in ("api", "worker"):
        new = [pod for pod in items(production, "pods", app) if pod["metadata"]["uid"] not in before.pods[app]]
        assert new
        for pod in new:
            assert pod["spec"]["containers"][0]["image"].endswith(":release-2")
            assert timestamp(pod["metadata"]["creationTimestamp"]) >= completed, app
    assert rolled(before, after) == {"api", "worker"}
    assert untouched(before, after) == ALL_APPS - {"api", "worker"}


def test_a_failed_migration_keeps_the_old_pods_and_the_next_up_recovers(production: World) -> None:
    before = snapshot(production)
    release(production, "bad-migration-1")
    failed = production.pulumi("up", "--yes", "--skip-preview", check=False)
    assert failed.returncode != 0
    output = failed.stdout + failed.stderr
    assert "the old pods continue to serve" in output
    (job,) = (job["metadata"]["name"] for job in items(production, "jobs") if job["metadata"]["uid"] not in before.jobs)
    assert f"kubectl -n honeydue logs job/{job}" in output
    assert "Traceback" not in output
    after = snapshot(production)
    assert (after.pods, after.generations) == (before.pods, before.generations)

    # A second `up` with the same image creates a new Job, instead of waiting for the failed one.
    failed_jobs = {job["metadata"]["uid"] for job in items(production, "jobs")}
    assert production.pulumi("up", "--yes", "--skip-preview", check=False).returncode != 0
    assert {job["metadata"]["uid"] for job in items(production, "jobs")} - failed_jobs

    release(production, "release-3")
    production.pulumi("up", "--yes", "--skip-preview")
    assert rolled(before, snapshot(production)) == {"api", "worker"}
    assert all(job["status"].get("succeeded") == 1 for job in items(production, "jobs"))


def test_a_hanging_migration_exceeds_its_deadline_and_the_next_up_recovers(production: World) -> None:
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


def test_a_release_waits_until_the_migration_of_an_interrupted_release_has_ended(production: World) -> None:
    release(production, "hanging-migration-2")
    interrupted = production.start_pulumi("up", "--yes", "--skip-preview")
    for attempt in attempts(seconds=120):
        with attempt:
            assert "hanging-migration-2" in {tag(pod) for pod in items(production, "pods", "migrate")}
    interrupted.send_signal(signal.SIGINT)
    interrupted.communicate(timeout=120)
    assert "hanging-migration-2" in {tag(pod) for pod in items(production, "pods", "migrate")}

    selector = ("pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=migrate")
    event = r'jsonpath={.type} {.object.spec.containers[0].image}{"\n"}'
    command = production.kubectl_client().command("get", *selector, "--watch", "--output-watch-events", "-o", event)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
        release(production, "release-5")
        production.pulumi("up", "--yes", "--skip-preview")
        watch.terminate()
        assert watch.stdout is not None
        events = [(line.split()[0], line.strip().rpartition(":")[2]) for line in watch.stdout]
    assert events.index(("DELETED", "hanging-migration-2")) < events.index(("ADDED", "release-5"))


def tag(pod: Mapping[str, Any]) -> str:
    image: str = pod["spec"]["containers"][0]["image"]
    return image.rpartition(":")[2]


def test_a_changed_setting_replaces_the_pods_that_read_it_and_runs_no_migration(production: World) -> None:
    before = snapshot(production)
    production.set_config("honeydue:environment.EMAIL_PORT", "465")
    production.pulumi("up", "--yes", "--skip-preview")
    after = snapshot(production)
    assert rolled(before, after) == {"api", "worker"}
    assert untouched(before, after) == ALL_APPS - {"api", "worker"}
    assert after.jobs == before.jobs


def test_switching_to_the_direct_host_replaces_api_and_worker_and_runs_no_migration(production: World) -> None:
    before = snapshot(production)
    production.set_config("honeydue:database.endpoint", "direct")
    production.pulumi("up", "--yes", "--skip-preview")
    after = snapshot(production)
    assert rolled(before, after) == {"api", "worker"}
    assert after.jobs == before.jobs
    (config,) = (
        config for config in items(production, "configmaps") if config["metadata"]["name"] == "honeydue-config"
    )
    assert "-pooler" not in config["data"]["DB_HOST"]


def test_a_rotated_redis_password_replaces_the_pods_that_read_it(production: World) -> None:
    before = snapshot(production)
    production.pulumi("config", "set", "--secret", "honeydue:redisPassword", "another-rehearsal-password")
    production.pulumi("up", "--yes", "--skip-preview")
    after = snapshot(production)
    assert rolled(before, after) == {"api", "worker", "redis"}
    assert untouched(before, after) == {"admin", "web"}
    assert after.jobs == before.jobs
