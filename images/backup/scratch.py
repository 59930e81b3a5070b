"""The scratch server of a drill: PostgreSQL without a network, until the drill ends."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from .database import query, wait_until_awake
from .errors import BackupError

POLL_SECONDS = 0.5
START_DELAYS = (0.5,) * 60


def folder() -> Path:
    """The folder of the server's data and of its socket, which is also PGHOST."""
    return Path(os.environ["PGHOST"])


def serve() -> None:
    """Runs the server until `finish`, then removes its data. Raises a BackupError if the server ends before."""
    data = folder() / "data"
    initialize = ["initdb", f"--pgdata={data}", "--auth=trust", f"--username={os.environ['PGUSER']}"]
    # The data need not survive anything, and no client is outside of the container.
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder()}", "-c", "fsync=off"]
    subprocess.run([*initialize, "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"], check=True)
    command = ["postgres", "-D", str(data), *options]
    with subprocess.Popen(command) as server:
        try:
            while not _finished().exists():
                if server.poll() is not None:
                    raise BackupError(f"the scratch server ended with exit code {server.returncode} (see above)")
                time.sleep(POLL_SECONDS)
        finally:
            server.terminate()
            server.wait()
            shutil.rmtree(data, ignore_errors=True)


def create(database: str) -> None:
    """Creates the database of the drill, as soon as the server accepts connections."""
    os.environ["PGDATABASE"] = "postgres"
    wait_until_awake(START_DELAYS)
    query(f'CREATE DATABASE "{database}"')
    os.environ["PGDATABASE"] = database


def finish() -> None:
    """Lets `serve` end without an error: the drill succeeded."""
    _finished().touch()


def _finished() -> Path:
    return folder() / "finished"
