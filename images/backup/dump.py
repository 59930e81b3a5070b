"""Dumps the database: encrypted while it is read, and uploaded without a copy on a disk."""

import os
import time
from datetime import UTC, datetime

from .database import check_client, contents, major_version_of_client, query, refuse_pooler, session, wait_until_awake
from .errors import BackupError
from .manifest import DUMP, MANIFEST, TIME_FORMAT, Manifest
from .pipeline import Pipeline
from .store import Store

KEEP_SESSION = "SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0;"
BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
PERCENT = 100


def dump() -> None:
    """Writes a dump, and its manifest if the dump is good. Raises a BackupError."""
    store, recipient = Store.from_environment(), _variable("BACKUP_RECIPIENT")
    minimum = int(_variable("BACKUP_MINIMUM_PERCENT"))
    wait_until_awake()
    refuse_pooler()
    client = major_version_of_client()
    check_client(client, int(query("SHOW server_version_num")) // 10_000)
    previous = store.last_complete()
    started, clock = datetime.now(UTC), time.monotonic()
    name = started.strftime(TIME_FORMAT)
    with session() as reader:
        # pg_dump reads the snapshot of this transaction, so that the counts are those of the dump.
        reader.run(KEEP_SESSION)
        (snapshot,) = reader.run(f"{BEGIN} SELECT pg_export_snapshot();")
        source = contents(reader)
        if not source.rows:
            raise BackupError(
                f"database {os.environ.get('PGDATABASE')} has no rows: its dump would be a valid file. Check the "
                "database in honeydue:database"
            )
        dumping = ["pg_dump", "--format=custom", f"--snapshot={snapshot}", "--no-password", "--lock-wait-timeout=60s"]
        sent = Pipeline([dumping, ["age", "--encrypt", "--recipient", recipient], store.upload(name + DUMP)]).run()
        # A session that ended would have released the snapshot.
        reader.run("COMMIT;")
    stored = store.sizes().get(name + DUMP)
    if stored != sent.bytes:
        raise BackupError(f"{name}{DUMP} has {stored} bytes in the bucket, {sent.bytes} were sent")
    if previous and sent.bytes * PERCENT < previous.bytes * minimum:
        raise BackupError(
            f"{name}{DUMP} has {sent.bytes} bytes, less than {minimum} % of the last one ({previous.bytes} bytes, "
            f"{previous.time}). It has no manifest and does not count. If data was deleted on purpose, set "
            "honeydue:backups.minimumPercent to 0 for the next dump"
        )
    manifest = Manifest(
        schema_version=source.schema_version,
        tables=source.tables,
        extensions=source.extensions,
        postgres_version=query("SHOW server_version"),
        client_version=client,
        bytes=sent.bytes,
        sha256=sent.sha256,
        started=started.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - clock, 1),
    )
    # Last: a dump without a manifest does not count.
    store.write(name + MANIFEST, manifest.text())
    print(
        f"{name}: {len(source.tables)} tables, {source.rows} rows, {sent.bytes} bytes in {manifest.seconds} s",
        flush=True,
    )


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise BackupError(f"{name} is not set")
    return value
