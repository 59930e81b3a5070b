"""The scripts of `make save-queue` and `make new-volume FROM=`, with a real redis, api and worker, and no cluster."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import IO

import pytest

from ops.queue import scripts
from rehearsal.images.catalog import Schema, api, worker
from rehearsal.processes import chroot
from tests.real import database, standins
from tests.real.standins import REDIS_PASSWORD, free_port, goose, running
from tests.retry import eventually
from tools import debian

API = api("registry.example/honeydue-api:first", Schema.FIRST)
WORKER = worker("registry.example/honeydue-worker:first", Schema.FIRST)
JOBS = 30
SECONDS = 120


def shell(script: str, folder: Path, port: int, *, stdin: IO[bytes] | None = None) -> bytes:
    """Runs a script as in the pod, where `folder` is the volume. Raises CalledProcessError."""
    text = script.replace("/data", "/run").replace("redis-cli -e", f"redis-cli -e -p {port}")
    command = chroot.command(debian.root_filesystem("redis"), "sh", "-euc", text, folder=folder)
    environment = {"PATH": os.environ["PATH"], "REDIS_PASSWORD": REDIS_PASSWORD}
    result = subprocess.run(command, env=environment, stdin=stdin, stdout=subprocess.PIPE, check=True, timeout=SECONDS)
    return result.stdout


@contextmanager
def redis(folder: Path, port: int) -> Iterator[None]:
    """Redis with an append-only file in the folder, as in the pod."""
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--requirepass", REDIS_PASSWORD, "--appendonly", "yes"]
    process = subprocess.Popen(
        chroot.command(debian.root_filesystem("redis"), "redis-server", *arguments, "--dir", "/run", folder=folder),
        stdout=subprocess.DEVNULL,
    )
    try:
        with eventually(lambda: socket.create_connection(("127.0.0.1", port))):
            pass
        yield
    finally:
        process.kill()
        process.wait()


def volume(folder: Path) -> Path:
    folder.mkdir(mode=0o777)
    return folder


def test_every_job_is_executed_after_the_data_moved_to_an_empty_volume(tmp_path: Path) -> None:
    port, old, new = free_port(), volume(tmp_path / "old"), volume(tmp_path / "new")
    with database.running(tmp_path) as external_database:
        assert goose(API, database.migration_environment(external_database), folder=tmp_path / "goose").returncode == 0
        environment = standins.backend_environment(external_database, redis_port=port, key=tmp_path / "apns.key")
        with redis(old, port), running(API, environment, folder=tmp_path) as writer:
            jobs = [writer.request("/api/jobs/", method="POST")[1]["id"] for _ in range(JOBS)]
            shell(scripts.REFUSE_WRITES, old, port)
            assert writer.request("/api/jobs/", method="POST")[0] >= HTTPStatus.INTERNAL_SERVER_ERROR
            shell(scripts.DUMP_DATA, old, port)
            saved = json.loads(shell(scripts.COUNT_JOBS, old, port))
            assert saved["default pending"] == sum(saved.values()) == JOBS
            file = tmp_path / "redis.rdb"
            file.write_bytes(shell(scripts.DOWNLOAD, old, port))
            checksum = shell(scripts.SHA256, old, port)
        with file.open("rb") as content:
            shell(scripts.UPLOAD, new, port, stdin=content)
        assert shell(scripts.SHA256, new, port) == checksum
        assert json.loads(shell(scripts.LOAD, new, port)) == saved
        with redis(new, port), running(API, environment, folder=tmp_path) as reader:
            process = standins.start(WORKER, environment, port=0, folder=tmp_path)
            try:

                def all_jobs_are_completed() -> None:
                    assert [job for job in jobs if reader.request(f"/api/jobs/{job}")[0] != HTTPStatus.OK] == []

                eventually(all_jobs_are_completed, seconds=SECONDS)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait()


def test_an_append_only_redis_ignores_a_dump(tmp_path: Path) -> None:
    """Why the data cannot simply be copied into the volume."""
    port, old, new = free_port(), volume(tmp_path / "old"), volume(tmp_path / "new")
    count = 'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli -e {}'
    with redis(old, port):
        shell(count.format("set key value"), old, port)
        shell(scripts.DUMP_DATA, old, port)
    (new / "dump.rdb").write_bytes((old / "dump.rdb").read_bytes())
    with redis(new, port):
        assert shell(count.format("dbsize"), new, port).strip() == b"0"


def test_an_incomplete_dump_and_a_volume_with_data_are_refused(tmp_path: Path) -> None:
    port, old = free_port(), volume(tmp_path / "old")
    with redis(old, port):
        shell(scripts.DUMP_DATA, old, port)
    with (old / "dump.rdb").open("rb") as content, pytest.raises(subprocess.CalledProcessError):
        shell(scripts.UPLOAD, old, port, stdin=content)
    cut = volume(tmp_path / "cut")
    (cut / "dump.rdb").write_bytes((old / "dump.rdb").read_bytes()[:-10])
    with pytest.raises(subprocess.CalledProcessError):
        shell(scripts.LOAD, cut, port)
    assert not (cut / "appendonlydir").exists()
