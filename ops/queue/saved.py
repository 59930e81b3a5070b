"""A file with the data of redis, and the record beside it."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ops.errors import OpsError

JOBS = TypeAdapter(dict[str, int])
"""The number of jobs by queue and state, for example "default pending"."""


class Record(BaseModel):
    """What a file contains, as JSON in `<file>.json`.

    `generation` is that of the Deployment of redis after it was stopped: it changes if anybody starts redis again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    saved_at: datetime
    sha256: str
    generation: int
    jobs: Mapping[str, int]


def record_file(file: Path) -> Path:
    """The path of the record of a file."""
    return file.with_name(f"{file.name}.json")


def write(file: Path, record: Record) -> None:
    record_file(file).write_text(f"{record.model_dump_json(indent=2)}\n")


def read(file: Path) -> Record:
    """The record of a complete file. Raises an OpsError if the file is not what was saved."""
    try:
        record = Record.model_validate_json(record_file(file).read_text())
        sha256 = checksum(file)
    except FileNotFoundError as error:
        raise OpsError(f"{error.filename} does not exist: `make save-queue` writes FILE and FILE.json") from None
    except ValidationError:
        raise OpsError(f"{record_file(file)} is not a record of `make save-queue`") from None
    if sha256 != record.sha256:
        raise OpsError(f"{file} is not complete, or was changed after it was saved: its SHA-256 is another one")
    return record


def checksum(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def described(jobs: Mapping[str, int]) -> str:
    """The jobs as text: "12 jobs (default pending 11, default retry 1)"."""
    parts = ", ".join(f"{name} {count}" for name, count in sorted(jobs.items()) if count)
    return f"{sum(jobs.values())} jobs" + (f" ({parts})" if parts else "")
