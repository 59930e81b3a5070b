"""Releases on real nodes: the migration runs first, and no request fails, even if the migration is broken."""

import json
import re
from collections.abc import Mapping, Sequence

from rehearsal.external.database import ExternalDatabase
from rehearsal.images.catalog import Schema
from rehearsal.world.world import World
from tests.real.hosts import ADMIN, APEX, API, APP
from tests.real.load import LoadGenerator
from tests.real.releases import push, release, running_tag
from tests.rehearsal.cluster import NAMESPACE, rolled, snapshot
from tests.rehearsal.edge_client import EdgeClient
from tests.rehearsal.operator import ops
from tests.rehearsal.runbook import OPERATOR, Block, blocks, run
from tests.retry import eventually

PATHS = {API: "/api/tasks/", APEX: "/", APP: "/tasks", ADMIN: "/"}
MINIMUM_REQUESTS = 500
"""With fewer requests, a failed one could be missed by chance."""
VERSION = "SELECT version_id FROM goose_db_version ORDER BY id DESC LIMIT 1"


def health(client: EdgeClient) -> Mapping[str, str]:
    result: Mapping[str, str] = json.loads(client.get(API, "/api/health/").body)
    return result


def test_the_migration_connects_to_the_direct_host(production: World, neon: ExternalDatabase) -> None:
    assert neon.query(VERSION) == str(int(Schema.FIRST))
    log = (production.layout.logs / "postgresql.log").read_text()
    client_addresses = set(re.findall(r"^(\S+) LOG: +connection authorized: .*application_name=migrate", log, re.M))
    # A connection through the pooler would have the address of the pooler.
    assert client_addresses
    assert client_addresses <= set(production.outputs()["nodes"].values())


def test_a_release_fails_no_request(
    production: World, neon: ExternalDatabase, cloudflare: Sequence[EdgeClient]
) -> None:
    before = snapshot(production)
    with LoadGenerator(cloudflare, PATHS) as load:
        completed = release(production, "second-release", Schema.ADDITIVE)
    assert completed.returncode == 0, completed.stdout
    assert load.failures == []
    assert load.succeeded > MINIMUM_REQUESTS

    def all_pods_are_replaced() -> None:
        # The engine returns before Kubernetes terminates the last of the old pods.
        assert rolled(before, snapshot(production)) == {"api", "worker", "admin", "web"}

    eventually(all_pods_are_replaced)
    assert neon.query(VERSION) == str(int(Schema.ADDITIVE))
    assert {health(client)["release"] for client in cloudflare} == {"second-release"}


def test_a_broken_migration_changes_no_schema_and_the_old_pods_keep_serving(
    production: World, neon: ExternalDatabase, cloudflare: Sequence[EdgeClient]
) -> None:
    before = snapshot(production)
    count_columns = "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'"
    columns = neon.query(count_columns)
    with LoadGenerator(cloudflare, PATHS) as load:
        failed = release(production, "broken-release", Schema.BROKEN)
    assert failed.returncode != 0
    assert load.failures == []
    # The error of goose, from the log of the Job.
    assert "ERROR 000003" in failed.stdout or "failed to run SQL migration" in failed.stdout, failed.stdout
    after = snapshot(production)
    assert (after.pods["api"], after.pods["worker"]) == (before.pods["api"], before.pods["worker"])
    assert neon.query(count_columns) == columns
    assert neon.query(VERSION) == str(int(Schema.ADDITIVE))


def test_the_runbook_recovers_from_a_broken_migration(
    production: World, neon: ExternalDatabase, cloudflare: Sequence[EdgeClient]
) -> None:
    push(production, "fixed-release", Schema.ADDITIVE)
    read_log, release_fix, *_ = blocks("runbook.md", "Recover from a failed migration")
    # Only real nodes have containers, so only this test can run the block that reads the log.
    assert "000003" in run(production, Block(shell=OPERATOR, text=read_log.text))
    run(production, release_fix, {"TAG": "fixed-release"})

    def all_pods_are_fixed() -> None:
        # The engine returns before Kubernetes terminates the last of the old pods.
        assert {health(client)["release"] for client in cloudflare} == {"fixed-release"}

    eventually(all_pods_are_fixed)
    assert not re.search("error", neon.query(VERSION))


def test_a_rollback_over_a_compatible_migration_keeps_the_schema_and_fails_no_request(
    production: World, neon: ExternalDatabase, cloudflare: Sequence[EdgeClient]
) -> None:
    """The Job runs `goose up` with an image that has fewer migrations than the database: it applies nothing."""
    oldest = release(production, "older-release", Schema.FIRST)
    assert oldest.returncode == 0, oldest.stdout
    newer = release(production, "newer-release", Schema.ADDITIVE)
    assert newer.returncode == 0, newer.stdout
    with LoadGenerator(cloudflare, PATHS) as load:
        back = ops(production, "rollback", "--stack", "prod", "--yes")
    assert back.returncode == 0, back.stdout
    assert load.failures == []
    assert load.succeeded > MINIMUM_REQUESTS
    assert {running_tag(production, app) for app in ("api", "worker", "admin", "web")} == {"older-release"}

    def all_pods_are_older() -> None:
        # The engine returns before Kubernetes terminates the last of the newer pods.
        assert {health(client)["release"] for client in cloudflare} == {"older-release"}

    eventually(all_pods_are_older)
    assert neon.query(VERSION) == str(int(Schema.ADDITIVE))
    assert "no migrations to run" in production.kubectl("logs", "-n", NAMESPACE, "job/migrate")
