"""Runs the stand-in images as processes, with their entrypoints and the environment variables of their pods."""

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
from rehearsal.processes.ports import free_ports
from tests.retry import eventually
from tools import debian

REDIS_PASSWORD = "rehearsal-redisPassword"
TIMEOUT_SECONDS = 20


def free_port() -> int:
    """An unused TCP port on loopback."""
    return free_ports(["stand-in"])["stand-in"]


@contextmanager
def redis(folder: Path) -> Iterator[int]:
    """Starts a Redis that requires REDIS_PASSWORD, and yields its port."""
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
        chroot.command(debian.root_filesystem("redis"), "redis-server", *arguments, folder=folder),
        stdout=subprocess.DEVNULL,
    )
    try:
        with eventually(lambda: socket.create_connection(("127.0.0.1", port))):
            yield port
    finally:
        process.kill()
        process.wait()


def backend_environment(database: ExternalDatabase, *, redis_port: int, key: Path) -> Mapping[str, str]:
    """The environment variables of api and worker, with addresses for host names: a test has no DNS server."""
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
    """A running stand-in and the port that it listens on."""

    process: subprocess.Popen[str]
    port: int

    def request(self, path: str, *, method: str = "GET", body: object = None) -> tuple[int, Any]:
        """Sends a request. Returns the status and the body: parsed if it is JSON, else as text."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request(method, path, body=None if body is None else json.dumps(body))
            response = connection.getresponse()
            text = response.read().decode()
            return response.status, json.loads(text) if response.headers["Content-Type"] == "application/json" else text


def start(image: Image, environment: Mapping[str, str], *, port: int, folder: Path) -> subprocess.Popen[str]:
    """Starts the image's entrypoint on this machine, with `folder` as its working directory."""
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


def startup_error(image: Image, environment: Mapping[str, str], *, folder: Path) -> str:
    """Starts an image that must exit with code 1, and returns its output."""
    process = start(image, environment, port=free_port(), folder=folder)
    try:
        output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    finally:
        process.kill()
    assert process.returncode == 1, output
    return output


@contextmanager
def running(image: Image, environment: Mapping[str, str], *, folder: Path) -> Iterator[StandIn]:
    """Starts an image, waits until it answers requests, and stops it at the end of the block."""
    port = free_port()
    process = start(image, environment, port=port, folder=folder)
    stand_in = StandIn(process=process, port=port)
    try:
        eventually(lambda: stand_in.request("/"))
        yield stand_in
    finally:
        process.kill()
        process.wait()


def goose(image: Image, environment: Mapping[str, str], *, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs `goose up` as the migration Job does, with the migrations of the image."""
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
