"""The commands of docs/runbook.md have the results that the page describes."""

import json
from collections.abc import Callable, Mapping

import pytest

from ops.release.schema import COMPATIBLE_WITH, SCHEMA_VERSION
from ops.volume.loss import node_of
from rehearsal.world.world import World
from tests.rehearsal.cluster import Snapshot, items, rolled, snapshot, untouched
from tests.rehearsal.image_registry import our_repository
from tests.rehearsal.operator import ops
from tests.rehearsal.runbook import blocks, headings, run

PAGE = "runbook.md"
ALL_APPS = {"api", "worker", "admin", "web", "redis"}
BACKEND = {"api", "worker"}

Section = Callable[[World, str], None]


def run_section(world: World, heading: str, **variables: str) -> list[str]:
    """Runs the operator's blocks of a section. Returns the output of each block."""
    return [run(world, block, variables) for block in blocks(PAGE, heading) if block.shell == "operator"]


def assert_rolled(world: World, before: Snapshot, expected: set[str]) -> None:
    """Only the pods of these apps were replaced, and no migration ran."""
    after = snapshot(world)
    assert (rolled(before, after), untouched(before, after), after.jobs) == (expected, ALL_APPS - expected, before.jobs)


def database_host(world: World) -> str:
    (config,) = (config for config in items(world, "configmaps") if config["metadata"]["name"] == "honeydue-config")
    host: str = config["data"]["DB_HOST"]
    return host


def inspect_cluster(world: World, heading: str) -> None:
    (output,) = run_section(world, heading)
    for expected in ("ubuntu-8gb-nbg1-2", "api", "migrate", "No changes.", "Monthly cost: EUR 25.47"):
        assert expected in output


def check_pool(world: World, heading: str) -> None:
    before = snapshot(world)
    limits, rollout = run_section(world, heading)
    assert limits == "20 30m 0"
    assert "successfully rolled out" in rollout
    assert len(before.pods["api"] & snapshot(world).pods["api"]) == len(before.pods["api"]) - 1


def switch_to_direct_host(world: World, heading: str) -> None:
    before = snapshot(world)
    (output,) = run_section(world, heading)
    assert output.endswith(database_host(world))
    assert "-pooler" not in database_host(world)
    assert_rolled(world, before, BACKEND)


def switch_to_pooler(world: World, heading: str) -> None:
    before = snapshot(world)
    run_section(world, heading)
    assert "-pooler" in database_host(world)
    assert_rolled(world, before, BACKEND)


def run_migrations(world: World, heading: str) -> None:
    before = snapshot(world)
    job_of_engine, job_by_hand, deletion = run_section(world, heading)
    after = snapshot(world)
    assert after.pods == before.pods
    assert len(after.jobs) == 1
    assert not after.jobs & before.jobs
    assert job_of_engine.rstrip().splitlines()[-1].split()[0] == "migrate"
    assert "job.batch/goose-by-hand condition met" in job_by_hand
    assert "goose-by-hand" in deletion


def recover_from_failed_migration(world: World, heading: str) -> None:
    before = snapshot(world)
    for app in ("api", "worker"):
        world.set_config(f"honeydue:images.{app}", "bad-migration-9")
    assert world.pulumi("up", "--yes", "--skip-preview", check=False).returncode != 0
    assert snapshot(world).pods == before.pods
    # The engine would store a tag of digits as a number.
    run_section(world, heading, TAG="1234567890")
    after = snapshot(world)
    assert (rolled(before, after), untouched(before, after)) == (BACKEND, ALL_APPS - BACKEND)
    assert all(job["status"].get("succeeded") == 1 for job in items(world, "jobs"))


def return_to_previous_release(world: World, heading: str) -> None:
    release_with_labels(world, "schema-1", {SCHEMA_VERSION: "1"})
    release_with_labels(world, "schema-2", {SCHEMA_VERSION: "2", COMPATIBLE_WITH: "1"})
    before = snapshot(world)
    (output,) = run_section(world, heading)
    assert "→ schema-1 (sha256:" in output
    after = snapshot(world)
    assert (rolled(before, after), untouched(before, after)) == (BACKEND, ALL_APPS - BACKEND)
    (image,) = {pod["spec"]["containers"][0]["image"] for pod in items(world, "pods", "api")}
    assert "honeydue-api:schema-1@sha256:" in image

    # A migration that is not declared compatible.
    release_with_labels(world, "schema-3", {SCHEMA_VERSION: "3"})
    settings, before = world.layout.config.read_text(), snapshot(world)
    refused = ops(world, "rollback", "--stack", "prod", "--yes")
    assert refused.returncode == 1
    assert "Refused: api schema-3 migrated the schema from 1 to 3" in refused.stdout
    assert (world.layout.config.read_text(), snapshot(world)) == (settings, before)


def release_with_labels(world: World, tag: str, labels: Mapping[str, str]) -> None:
    our_repository(world, "api").push_image(tag, labels)
    completed = ops(world, "release", "--stack", "prod", "--api", tag, "--yes")
    assert completed.returncode == 0, completed.stdout


def renew_origin_certificate(world: World, heading: str) -> None:
    def certificate_id() -> str:
        resources = json.loads(world.pulumi("stack", "export").stdout)["deployment"]["resources"]
        (id_,) = (resource["id"] for resource in resources if resource["urn"].endswith("OriginCaCertificate::origin"))
        return str(id_)

    before, old = snapshot(world), certificate_id()
    run_section(world, heading)
    assert certificate_id() != old
    assert_rolled(world, before, set())


def rotate_secret(world: World, heading: str) -> None:
    before = snapshot(world)
    run_section(world, heading)
    assert_rolled(world, before, BACKEND | {"redis"})


def give_redis_a_new_volume(world: World, heading: str) -> None:
    """The server is lost for good. `tests/real/test_node_loss.py` gives redis a new volume on a rebuilt node."""
    (pod,) = items(world, "pods", "redis")
    lost = pod["spec"]["nodeName"]
    nodes = [node["metadata"]["name"] for node in world.kubectl_json("get", "nodes")["items"]]
    other = next(name for name in nodes if name != lost)
    # The controller manager deletes the pods of a deleted Node after a minute.
    world.kubectl("cordon", lost)
    world.kubectl("delete", "pods", "-A", f"--field-selector=spec.nodeName={lost}", "--force", "--grace-period=0")
    run_section(world, heading, LOST=lost, NODE=other)
    (claim,) = items(world, "persistentvolumeclaims")
    volume = world.kubectl_json("get", "persistentvolume", claim["spec"]["volumeName"])
    assert node_of(volume) == other
    (pod,) = items(world, "pods", "redis")
    assert (pod["spec"]["nodeName"], pod["status"]["phase"]) == (other, "Running")
    assert json.loads(world.pulumi("preview", "--json", "--expect-no-changes").stdout)["steps"]


SECTIONS: dict[str, Section] = {
    "Inspect the cluster": inspect_cluster,
    "Check the database connection pool": check_pool,
    "Switch to the direct database host": switch_to_direct_host,
    "Switch back to the pooler": switch_to_pooler,
    "Run migrations by hand": run_migrations,
    "Recover from a failed migration": recover_from_failed_migration,
    "Return to the previous release": return_to_previous_release,
    "Renew the origin certificate": renew_origin_certificate,
    "Rotate a secret": rotate_secret,
    # Last, because a Node is missing afterwards.
    "Give redis a new volume": give_redis_a_new_volume,
}


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_section_has_the_described_result(production: World, heading: str) -> None:
    SECTIONS[heading](production, heading)


def test_every_section_has_a_test() -> None:
    # test_ingress.py renews the client certificate, because that needs Traefik. tests/real/test_queue.py replaces the
    # node of redis, because that needs a redis.
    elsewhere = {"Renew the client certificate", "Replace or move the node of redis"}
    assert [heading for heading in headings(PAGE) if heading not in elsewhere] == list(SECTIONS)
