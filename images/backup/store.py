"""The bucket, through rclone's S3 backend."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .errors import BackupError
from .manifest import DUMP, MANIFEST

OPTIONS = (
    # No configuration file. The credentials are AWS_… variables.
    "--config=",
    "--s3-provider=Other",
    "--s3-env-auth",
    # The key may not create a bucket.
    "--s3-no-check-bucket",
    # Two parts of 16 MiB in memory. 10 000 parts, the most that S3 has, are 160 GB.
    "--s3-chunk-size=16Mi",
    "--s3-upload-concurrency=2",
    # A stream cannot be read again.
    "--retries=1",
    # rclone's default, 10 attempts of a minute each, would hide for long that the store does not respond.
    "--low-level-retries=3",
    "--contimeout=15s",
)


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A dump in the bucket. It is complete if its manifest exists, which is written last."""

    time: str
    bytes: int
    complete: bool


@dataclass(frozen=True, kw_only=True)
class Store:
    """A bucket. Nothing here deletes an object."""

    bucket: str
    endpoint: str
    region: str

    @classmethod
    def from_environment(cls) -> "Store":
        """Raises a BackupError for a missing variable."""
        names = {"bucket": "BACKUP_BUCKET", "endpoint": "BACKUP_ENDPOINT", "region": "BACKUP_REGION"}
        if missing := [name for name in names.values() if not os.environ.get(name)]:
            raise BackupError(f"{', '.join(missing)} is not set")
        return cls(**{field: os.environ[name] for field, name in names.items()})

    def command(self, *arguments: str) -> Sequence[str]:
        """A command of rclone."""
        place = (f"--s3-endpoint=https://{self.endpoint}", f"--s3-region={self.region}")
        return ["rclone", *OPTIONS, *place, *arguments]

    def path(self, name: str = "") -> str:
        return f":s3:{self.bucket}/{name}"

    def upload(self, name: str) -> Sequence[str]:
        """The command that uploads its input."""
        return self.command("rcat", self.path(name))

    def write(self, name: str, content: str) -> None:
        """Uploads a small object. Raises a BackupError."""
        completed = subprocess.run(self.upload(name), input=content.encode(), check=False)
        if completed.returncode:
            raise BackupError(f"could not upload {name} (see above)")

    def read(self, name: str) -> str:
        """A small object. Raises a BackupError."""
        return _output(self.command("cat", self.path(name)), f"read {name}")

    def sizes(self) -> Mapping[str, int]:
        """All objects of the bucket with their sizes. Raises a BackupError."""
        listed = json.loads(_output(self.command("lsjson", "--no-modtime", self.path()), "list the bucket"))
        return {entry["Name"]: entry["Size"] for entry in listed if not entry["IsDir"]}

    def backups(self) -> Sequence[Backup]:
        """All dumps, the oldest first."""
        objects = self.sizes()
        return [
            Backup(time=time, bytes=size, complete=f"{time}{MANIFEST}" in objects)
            for name, size in sorted(objects.items())
            if name.endswith(DUMP)
            for time in [name.removesuffix(DUMP)]
        ]

    def last_complete(self) -> Backup | None:
        """The newest complete dump."""
        return next((backup for backup in reversed(self.backups()) if backup.complete), None)


def _output(command: Sequence[str], action: str) -> str:
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    if completed.returncode:
        message = completed.stderr.strip().splitlines()
        raise BackupError(f"could not {action}: {message[-1] if message else 'rclone printed no error'}")
    return completed.stdout
