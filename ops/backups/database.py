"""The `restore-database` command: restores a dump into a database that the operator names."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import click
from rich.console import Console

from images.backup.database import refuse_pooler, wait_until_awake
from images.backup.pipeline import Pipeline
from images.backup.restore import REPLACE, check, check_target, current
from ops.backups.source import LATEST, identity_option, readable_errors, require_programs, select
from ops.confirmation import confirm
from ops.engine.stack import read_settings
from ops.errors import OpsError
from ops.guardrails.commands import stack_option
from ops.status.stack import validated

DSN = "RESTORE_DSN"
EXPECTED = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require"
OPTIONS = {
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "channel_binding": "PGCHANNELBINDING",
    "options": "PGOPTIONS",
}
"""The options of a connection URL and their variables."""
CHECKOUT = Path(__file__).parents[2]

console = Console(soft_wrap=True, highlight=False)


def connection(dsn: str) -> Mapping[str, str]:
    """The variables of libpq for a connection URL. Raises an OpsError, which does not contain the URL."""
    try:
        url = urlsplit(dsn)
        port = url.port or 5432
    except ValueError:
        raise OpsError(f"{DSN} is not a connection URL: {EXPECTED} was expected") from None
    database = unquote(url.path.removeprefix("/"))
    if url.scheme not in ("postgres", "postgresql") or not (url.hostname and url.username and database):
        raise OpsError(f"{DSN} is not a connection URL: {EXPECTED} was expected")
    options = {name: values[-1] for name, values in parse_qs(url.query).items()}
    if not options.keys() <= OPTIONS.keys():
        raise OpsError(f"{DSN} has an option other than {', '.join(OPTIONS)}")
    variables = {
        "PGHOST": url.hostname,
        "PGPORT": str(port),
        "PGUSER": unquote(url.username),
        "PGPASSWORD": unquote(url.password or ""),
        "PGDATABASE": database,
        "PGSSLMODE": "require",
        **{OPTIONS[name]: value for name, value in options.items()},
    }
    return {name: value for name, value in variables.items() if value}


def _replace_connection(variables: Mapping[str, str]) -> None:
    """Sets the variables of libpq, and unsets the operator's: PGHOSTADDR, for example, would be another server."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
    os.environ.update(variables)


@click.command("restore-database")
@stack_option
@identity_option
@click.option("--from", "dump", required=True, help=f"The time of a dump, or {LATEST}.")
@click.option("--overwrite", is_flag=True, help="Replace the tables of the target. Otherwise the command refuses.")
def restore_database(stack: str, identity: Path, dump: str, overwrite: bool) -> None:
    """Restore a dump into a database, all or nothing, and compare it with the manifest.

    The connection URL of the database comes from the environment variable RESTORE_DSN or from a prompt.
    """
    require_programs("psql", "pg_restore", package="the client of PostgreSQL, of the server's version or newer")
    source = select(validated(read_settings(stack)), identity, dump)
    dsn = os.environ.pop(DSN, "") or click.prompt(f"{DSN} ({EXPECTED})", hide_input=True)
    _replace_connection(connection(dsn))
    target = f"{os.environ['PGDATABASE']} at {os.environ['PGHOST']}"
    manifest = source.manifest
    with readable_errors():
        wait_until_awake()
        refuse_pooler()
        check_target(manifest.text())
        existing = current()
    if existing.tables:
        _confirm_overwriting(target, len(existing.tables), existing.rows, overwrite=overwrite)
        os.environ[REPLACE] = "1"
    else:
        confirm(f"Restore {source.time} ({manifest.rows} rows) into {target}?")
    clock = time.monotonic()
    os.environ["PYTHONPATH"] = str(CHECKOUT)
    with readable_errors():
        Pipeline([*source.decrypted(), [sys.executable, "-m", "images.backup", "restore"]]).run()
        summary = check(manifest.text())
    console.print(f"Restored {source.time} into {target}: {summary}, in {time.monotonic() - clock:.0f} s.")


def _confirm_overwriting(target: str, tables: int, rows: int, *, overwrite: bool) -> None:
    """The flag is the first confirmation, and the name of the host the second one."""
    if not overwrite:
        raise OpsError(
            f"{target} holds {tables} tables with {rows} rows. Nothing was changed. To replace them, add OVERWRITE=1"
        )
    host = os.environ["PGHOST"]
    typed = click.prompt(f"{target} holds {tables} tables with {rows} rows. To replace them, type the host {host}")
    if typed != host:
        raise OpsError("another name was typed. Nothing was changed")
