"""docs/runbook.md, command by command: each does in production's own world what the page says of it."""

import json
from collections.abc import Callable

import pytest

from rehearsal.world.world import World
from tests.rehearsal.cluster import Snapshot, items, rolled, snapshot, untouched
from tests.rehearsal.runbook import blocks, headings, run

PAGE = "runbook.md"
ALL = {"api", "worker", "admin", "web", "redis"}
BACKEND = {"api", "worker"}

Section = Callable[[World, str], None]


def rehearse(world: World, heading: str, **told: str) -> list[str]:
    """Runs what the section has for the operator, and returns what each block printed."""
    return [run(world, block, told) for block in blocks(PAGE, heading) if block.where == "operator"]


def assert_rolled(world: World, before: Snapshot, expected: set[str]) -> None:
    """These alone have new pods, and no migration ran."""
    after = snapshot(world)
    assert (rolled(before, after), untouched(before, after), after.jobs) == (expected, ALL - expected, before.jobs)


def database_host(world: World) -> str:
    (config,) = (one for one in items(world, "configmaps") if one["metadata"]["name"] == "honeydue-config")
    host: str = config["data"]["DB_HOST"]
    return host


def look(world: World, heading: str) -> None:
    (said,) = rehearse(world, heading)
    for expected in ("ubuntu-8gb-nbg1-2", "api", "migrate", "No changes.", "Monthly cost: EUR 25.47"):
        assert expected in said


def warm(world: World, heading: str) -> None:
    before = snapshot(world)
    told, ended = rehearse(world, heading)
    assert told == "20 30m 0"
    assert "successfully rolled out" in ended
    assert len(before.pods["api"] & snapshot(world).pods["api"]) == len(before.pods["api"]) - 1


def to_the_direct_host(world: World, heading: str) -> None:
    before = snapshot(world)
    (said,) = rehearse(world, heading)
    assert said.endswith(database_host(world))
    assert "-pooler" not in database_host(world)
    assert_rolled(world, before, BACKEND)


def to_the_pooler(world: World, heading: str) -> None:
    before = snapshot(world)
    rehearse(world, heading)
    assert "-pooler" in database_host(world)
    assert_rolled(world, before, BACKEND)


def migrate(world: World, heading: str) -> None:
    before = snapshot(world)
    by_the_engine, goose, removed = rehearse(world, heading)
    after = snapshot(world)
    assert after.pods == before.pods
    assert len(after.jobs) == 1
    assert not after.jobs & before.jobs
    assert by_the_engine.rstrip().splitlines()[-1].startswith("migrate-")
    assert "job.batch/goose-by-hand condition met" in goose
    assert "goose-by-hand" in removed


def recover(world: World, heading: str) -> None:
    before = snapshot(world)
    for app in ("api", "worker"):
        world.set_config(f"honeydue:images.{app}", "bad-migration-9")
    assert world.pulumi("up", "--yes", "--skip-preview", check=False).returncode != 0
    assert snapshot(world).pods == before.pods
    rehearse(world, heading, TAG="mended-9")
    after = snapshot(world)
    assert (rolled(before, after), untouched(before, after)) == (BACKEND, ALL - BACKEND)
    assert all(one["status"].get("succeeded") == 1 for one in items(world, "jobs"))


def renew(world: World, heading: str) -> None:
    def certificate() -> str:
        held = json.loads(world.pulumi("stack", "export").stdout)["deployment"]["resources"]
        (found,) = (one["id"] for one in held if one["urn"].endswith("OriginCaCertificate::origin"))
        return str(found)

    before, old = snapshot(world), certificate()
    rehearse(world, heading)
    assert certificate() != old
    assert_rolled(world, before, set())


def rotate(world: World, heading: str) -> None:
    before = snapshot(world)
    rehearse(world, heading)
    assert_rolled(world, before, BACKEND | {"redis"})


SECTIONS: dict[str, Section] = {
    "Inspect the cluster": look,
    "Check the database connection pool": warm,
    "Switch to the direct database host": to_the_direct_host,
    "Switch back to the pooler": to_the_pooler,
    "Run migrations by hand": migrate,
    "Recover from a failed migration": recover,
    "Renew the origin certificate": renew,
    "Rotate a secret": rotate,
}


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_section_does_what_it_says(production: World, heading: str) -> None:
    SECTIONS[heading](production, heading)


def test_no_section_is_forgotten() -> None:
    assert headings(PAGE) == list(SECTIONS)
