"""The stand-ins as processes of a test, started as their images say, with the environment that the program gives their pods."""

import http.client
import json
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.apps.config import database_environment
from rehearsal import pki
from rehearsal.external.database import ExternalDatabase
from rehearsal.images.archive import Image
from rehearsal.processes import chroot
from tests.real.patience import patiently
from tools import debian

REDIS_PASSWORD = "rehearsal-redisPassword"
PATIENCE_SECONDS = 20


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with closing(socket.socket()) as chosen:
        chosen.bind(("127.0.0.1", 0))
        port: int = chosen.getsockname()[1]
        return port


@contextmanager
def redis(folder: Path) -> Iterator[int]:
    """A redis with a password, and its port."""
    folder.mkdir()
    port = free_port()
    arguments = [
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--requirepass",
        REDIS_PASSWORD,
        "--dir",
        "/run",
        "--save",
        "",
    ]
    process = subprocess.Popen(
        chroot.command(debian.root("redis"), "redis-server", *arguments, folder=folder), stdout=subprocess.DEVNULL
    )
    try:
        with patiently(lambda: socket.create_connection(("127.0.0.1", port))):
            yield port
    finally:
        process.kill()
        process.wait()


def backend_environment(database: ExternalDatabase, *, redis_port: int, key: Path) -> Mapping[str, str]:
    """What api and worker read, but for where the database's names lead: a test has no DNS of its own."""
    if not key.exists():
        pki.CertificateAuthority.create(key.parent, key.stem)
    return {
        **database_environment(database.database),
        "DB_HOST": database.pooler,
        "POSTGRES_PASSWORD": database.password,
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(redis_port),
        "REDIS_PASSWORD": REDIS_PASSWORD,
        "APNS_AUTH_KEY_PATH": str(key),
    }


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """One that runs."""

    process: subprocess.Popen[str]
    port: int

    def ask(self, path: str, *, method: str = "GET", body: object = None) -> tuple[int, Any]:
        """Status and answer, JSON where it is."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request(method, path, body=None if body is None else json.dumps(body))
            answered = connection.getresponse()
            text = answered.read().decode()
            return answered.status, json.loads(text) if answered.headers["Content-Type"] == "application/json" else text


def start(image: Image, environment: Mapping[str, str], *, port: int, folder: Path) -> subprocess.Popen[str]:
    """As the image's entrypoint, in that folder of this machine."""
    folder.mkdir(exist_ok=True)
    program = next(path for layer in image.layers for target, path in layer.items() if target == image.entrypoint[0])
    return subprocess.Popen(
        [str(program), *image.entrypoint[1:]],
        env={**image.environment, **environment, "PORT": str(port)},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def refusal(image: Image, environment: Mapping[str, str], *, folder: Path) -> str:
    """What one says that does not start."""
    process = start(image, environment, port=free_port(), folder=folder)
    try:
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
    assert process.returncode == 1, said
    return said


@contextmanager
def running(image: Image, environment: Mapping[str, str], *, folder: Path) -> Iterator[StandIn]:
    """One that listens, for as long as the context lasts."""
    port = free_port()
    process = start(image, environment, port=port, folder=folder)
    made = StandIn(process=process, port=port)
    try:
        patiently(lambda: made.ask("/"))
        yield made
    finally:
        process.kill()
        process.wait()


def goose(image: Image, environment: Mapping[str, str], *, folder: Path) -> subprocess.CompletedProcess[str]:
    """`goose up` as the migration's Job runs it, with the migrations of that image."""
    migrations = folder / "migrations"
    migrations.mkdir(parents=True, exist_ok=True)
    files = {target: path for layer in image.layers for target, path in layer.items() if isinstance(path, Path)}
    for target, path in files.items():
        if target.startswith("/app/migrations/"):
            (migrations / Path(target).name).write_bytes(path.read_bytes())
    program = files["/usr/local/bin/goose"]
    return subprocess.run(
        [str(program), "up"],
        env={**os.environ, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
