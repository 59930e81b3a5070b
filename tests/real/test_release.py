"""A release on real nodes: schema first, no request lost, and nothing lost either when its migration is broken."""

import json
import re
from collections.abc import Mapping, Sequence

from rehearsal.external.database import ExternalDatabase
from rehearsal.images.catalogue import Schema
from rehearsal.world.world import World
from tests.real.cloudflare import ADMIN, APEX, API, APP
from tests.real.patience import patiently
from tests.real.releases import push, release
from tests.real.visitors import Visitors
from tests.rehearsal.cluster import rolled, snapshot
from tests.rehearsal.edge import Caller
from tests.rehearsal.runbook import OPERATOR, Block, blocks, run

PATHS = {API: "/api/tasks/", APEX: "/", APP: "/tasks", ADMIN: "/"}
ASKED = 500
"""At least so many requests, or a lost one would be luck to see."""
VERSION = "SELECT version_id FROM goose_db_version ORDER BY id DESC LIMIT 1"


def health(caller: Caller) -> Mapping[str, str]:
    found: Mapping[str, str] = json.loads(caller.get(API, "/api/health/").body)
    return found


def test_the_first_release_migrated_through_the_direct_host(production: World, neon: ExternalDatabase) -> None:
    assert neon.query(VERSION) == str(int(Schema.FIRST))
    log = (production.layout.logs / "postgresql.log").read_text()
    came_from = set(re.findall(r"^(\S+) LOG: +connection authorized: .*application_name=migrate", log, re.M))
    # Behind the pooler it would be the pooler's address.
    assert came_from
    assert came_from <= set(production.outputs()["nodes"].values())


def test_a_release_under_constant_requests_loses_none(
    production: World, neon: ExternalDatabase, cloudflare: Sequence[Caller]
) -> None:
    before = snapshot(production)
    with Visitors(cloudflare, PATHS) as visitors:
        done = release(production, "second-release", Schema.ADDITIVE)
    assert done.returncode == 0, done.stdout
    assert visitors.failures == []
    assert visitors.answered > ASKED

    def all_of_them() -> None:
        # The engine does not wait for the last of the old pods to be told to stop.
        assert rolled(before, snapshot(production)) == {"api", "worker", "admin", "web"}

    patiently(all_of_them)
    assert neon.query(VERSION) == str(int(Schema.ADDITIVE))
    assert {health(caller)["release"] for caller in cloudflare} == {"second-release"}


def test_a_broken_migration_leaves_nothing_behind_and_the_old_pods_serve(
    production: World, neon: ExternalDatabase, cloudflare: Sequence[Caller]
) -> None:
    before, columns = (
        snapshot(production),
        "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'",
    )
    schema = neon.query(columns)
    with Visitors(cloudflare, PATHS) as visitors:
        failed = release(production, "broken-release", Schema.BROKEN)
    assert failed.returncode != 0
    assert visitors.failures == []
    # goose's own words, from the Job's log.
    assert "ERROR 000003" in failed.stdout or "failed to run SQL migration" in failed.stdout, failed.stdout
    after = snapshot(production)
    assert (after.pods["api"], after.pods["worker"]) == (before.pods["api"], before.pods["worker"])
    assert neon.query(columns) == schema
    assert neon.query(VERSION) == str(int(Schema.ADDITIVE))


def test_the_runbook_recovers_from_it(production: World, neon: ExternalDatabase, cloudflare: Sequence[Caller]) -> None:
    push(production, "mended-release", Schema.ADDITIVE)
    read, mend = blocks("runbook.md", "Recover from a failed migration")
    # Here are containers, so that this block too can be run.
    assert "000003" in run(production, Block(where=OPERATOR, text=read.text))
    run(production, mend, {"TAG": "mended-release"})
    assert {health(caller)["release"] for caller in cloudflare} == {"mended-release"}
    assert not re.search("error", neon.query(VERSION))
