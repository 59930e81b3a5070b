"""Restores a dump from the standard input, and compares the database with a manifest."""

import os
import subprocess
import sys

from .database import contents, major_version_of_client, query, session
from .errors import BackupError
from .manifest import Contents, Manifest

REPLACE = "BACKUP_REPLACE"
"""The environment variable with which a restore replaces tables that exist."""


def restore() -> None:
    """Restores into the database of the PG… variables, all or nothing. Raises a BackupError."""
    database = query("SELECT current_database()")
    # Roles of the source may not exist here, and belong to the server and not to the database.
    options = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", "--no-password"]
    if os.environ.get(REPLACE):
        options += ["--clean", "--if-exists"]
    command = ["pg_restore", *options, f"--dbname={database}"]
    completed = subprocess.run(command, stdin=sys.stdin.buffer, check=False)
    if completed.returncode:
        raise BackupError(f"pg_restore ended with exit code {completed.returncode} (see above): nothing was restored")


def check_target(text: str) -> None:
    """Raises a BackupError if the target cannot take the dump of this manifest: old programs, missing extensions."""
    manifest = Manifest.parse(text)
    client = major_version_of_client("pg_restore")
    if client < manifest.client_version:
        raise BackupError(
            f"the dump was written by pg_dump {manifest.client_version}, and pg_restore {client} cannot read it: "
            f"install the client of PostgreSQL {manifest.client_version} or newer"
        )
    available = set(query("SELECT name FROM pg_available_extensions").splitlines())
    if missing := sorted(set(manifest.extensions) - available):
        raise BackupError(
            f"the server lacks the extension {', '.join(missing)} of the dump: install it there before the restore"
        )


def current() -> Contents:
    """The contents of the database."""
    with session() as reader:
        return contents(reader)


def check(text: str) -> str:
    """Compares the database with a manifest. Returns a summary. Raises a BackupError with all differences."""
    manifest, restored = Manifest.parse(text), current()
    if differences := list(manifest.differences(restored)):
        raise BackupError("the database differs from the manifest:\n" + "\n".join(differences))
    return f"{len(restored.tables)} tables, {restored.rows} rows, schema version {restored.schema_version}"
