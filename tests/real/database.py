"""Starts a database for a single test: PostgreSQL and pgbouncer on loopback, with production's names and settings."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from infra.settings.database import Database
from rehearsal.external.database import PROGRAMS, ExternalDatabase
from rehearsal.layout import Layout
from rehearsal.processes import chroot, processes
from tests.recipes import EXAMPLE
from tools import debian

PASSWORD = "rehearsal-postgresPassword"
POOLER, DIRECT = "127.0.77.10", "127.0.77.11"


def settings() -> Database:
    """The database section of the example settings."""
    config = yaml.safe_load((EXAMPLE / "Pulumi.prod.yaml").read_text())["config"]
    return Database.model_validate(config["honeydue:database"])


@contextmanager
def running(
    folder: Path, *, database_settings: Database | None = None, pooler: str = POOLER, direct: str = DIRECT
) -> Iterator[ExternalDatabase]:
    """Starts the database in this folder and stops it at the end of the block. By default it is the one at Neon."""
    layout = Layout(folder / "world")
    layout.make_folders()
    database = ExternalDatabase(
        layout=layout,
        database=database_settings or settings(),
        password=PASSWORD,
        pooler=pooler,
        direct=direct,
    )
    try:
        database.start()
        yield database
    finally:
        processes.stop(layout)


def migration_environment(database: ExternalDatabase) -> Mapping[str, str]:
    """The environment variables of the migration Job (infra/apps/migration.py)."""
    return {
        "PGHOST": database.direct,
        "PGPORT": str(database.database.port),
        "PGDATABASE": database.database.name,
        "PGUSER": database.database.user,
        "PGSSLMODE": database.database.ssl_mode,
        "PGPASSWORD": database.password,
        "GOOSE_DRIVER": "postgres",
        "GOOSE_DBSTRING": "application_name=migrate",
        "GOOSE_MIGRATION_DIR": "migrations",
    }


def client_programs(folder: Path) -> Path:
    """A folder with Debian's clients of PostgreSQL as an operator has them on PATH. They see `folder` as /run."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("psql", "pg_dump", "pg_restore"):
        command = chroot.command(debian.root_filesystem("postgresql"), f"{PROGRAMS}/{name}", folder=folder)
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        script.chmod(0o755)
    return programs
