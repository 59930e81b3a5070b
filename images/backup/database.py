"""The database, through psql. libpq reads the connection from the PG… environment variables."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .errors import BackupError
from .manifest import Contents

PSQL = ("psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1")
CONNECTION_FAILED = 2
"""The exit code of psql."""
WAKE_DELAYS = (2.0, 5.0, 10.0, 20.0)
"""A compute of Neon that sleeps may refuse the first connections."""
REJECTED = ("authentication failed", "does not exist", "no pg_hba.conf entry")
"""Errors that another attempt does not change."""
SHARED_SESSION_CHECKS = 3
END = "end of the result"
TABLES = r"""
SELECT format('SELECT json_build_array(%L, count(*)) FROM ONLY %I.%I',
              n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
  -- pg_dump does not dump the tables of extensions.
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
\gexec
"""
EXTENSIONS = "SELECT coalesce(json_object_agg(extname, extversion), '{}') FROM pg_extension;"
GOOSE_EXISTS = "SELECT to_regclass('goose_db_version') IS NOT NULL;"
SCHEMA_VERSION = "SELECT max(version_id) FROM goose_db_version WHERE is_applied;"


class Session:
    """A session of psql that stays open. Created with `session`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, statements: str) -> Sequence[str]:
        """Runs statements and returns their rows. Raises a BackupError if one fails; psql prints its error."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ValueError("psql has no pipes")
        try:
            stdin.write(f"{statements}\n\\echo {END}\n")
            stdin.flush()
        except BrokenPipeError:
            raise BackupError("the database ended the connection") from None
        rows: list[str] = []
        for line in stdout:
            if line.rstrip("\n") == END:
                return rows
            rows.append(line.rstrip("\n"))
        raise BackupError("the database returned an error (see above)")


@contextmanager
def session() -> Iterator[Session]:
    """A session for the duration of the block."""
    with subprocess.Popen(PSQL, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Session(process)
        finally:
            process.kill()


def query(text: str) -> str:
    """The result of one query in a connection of its own. Raises a BackupError."""
    completed = subprocess.run([*PSQL, "--command", text], capture_output=True, text=True, check=False)
    if completed.returncode:
        raise BackupError(f"the database returned an error: {completed.stderr.strip()}")
    return completed.stdout.strip()


def wait_until_awake(delays: Sequence[float] = WAKE_DELAYS) -> None:
    """Connects, several times if needed. Raises a BackupError with the error of the last attempt."""
    for delay in (*delays, None):
        completed = subprocess.run([*PSQL, "--command", "SELECT 1"], capture_output=True, text=True, check=False)
        if completed.returncode == 0:
            return
        message = completed.stderr.strip()
        refused = completed.returncode != CONNECTION_FAILED or any(text in message for text in REJECTED)
        if delay is None or refused:
            raise BackupError(f"cannot connect to the database: {message}")
        time.sleep(delay)


def refuse_pooler() -> None:
    """Raises a BackupError if the host is a pooler: in transaction mode, it breaks the session of a dump."""
    host = os.environ.get("PGHOST", "")
    if host.split(".", maxsplit=1)[0].endswith("-pooler") or shares_sessions():
        raise BackupError(
            f"{host} is a pooler, through which a dump is not consistent: set the direct host of the database"
        )


def shares_sessions() -> bool:
    """Whether two connections that are open at the same time use one session of the server."""
    for _ in range(SHARED_SESSION_CHECKS):
        with session() as first, session() as second:
            if first.run("SELECT pg_backend_pid();") == second.run("SELECT pg_backend_pid();"):
                return True
    return False


def major_version_of_client(program: str = "pg_dump") -> int:
    """The major version of a program of PostgreSQL."""
    # For example: pg_dump (PostgreSQL) 18.1 (Debian 18.1-1.pgdg13+2).
    output = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return int(output.split(")", 1)[1].split(".", 1)[0].split()[0])


def check_client(client: int, server: int) -> None:
    """Raises a BackupError if the server is newer than pg_dump, which then refuses to dump it."""
    if server > client:
        raise BackupError(
            f"the server runs PostgreSQL {server}, but this image has pg_dump {client}, which cannot dump it: build an "
            f"image from PostgreSQL {server} or newer, and set its tag in honeydue:backups.image"
        )


def contents(database: Session) -> Contents:
    """Counts the rows of all tables, in the transaction of this session if it has one."""
    # Without this, a policy of row security hides rows instead of failing.
    database.run("SET row_security = off; SET statement_timeout = 0;")
    tables = dict(json.loads(row) for row in database.run(TABLES))
    (extensions,) = database.run(EXTENSIONS)
    version = None
    if database.run(GOOSE_EXISTS) == ["t"]:
        (text,) = database.run(SCHEMA_VERSION)
        version = int(text) if text else None
    return Contents(schema_version=version, tables=tables, extensions=json.loads(extensions))
