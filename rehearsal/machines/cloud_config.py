"""Applies user data as cloud-init does, as far as possible without root: writes files and lists the commands to run."""

import base64
import gzip
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rehearsal.errors import RehearsalError

HEADER = "#cloud-config\n"
DEFAULT_MODE = "0644"


def parse(user_data: str) -> Mapping[str, Any]:
    """Parses a cloud-config. Raises RehearsalError for user data that cloud-init would ignore."""
    if not user_data.startswith(HEADER):
        raise RehearsalError(f"the user data does not begin with {HEADER.strip()}: cloud-init would ignore it")
    config = yaml.safe_load(user_data)
    if not isinstance(config, Mapping):
        raise RehearsalError("the user data is not a YAML mapping: cloud-init would ignore it")
    return config


def write_files(config: Mapping[str, Any], root: Path) -> None:
    """Writes the files of `write_files` below `root`, with their permissions."""
    for file in config.get("write_files", []):
        target = root / file["path"].lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        # Create it private, and set its permissions after its content: no other user can read a secret in between.
        target.touch(mode=0o600)
        target.write_bytes(_content(file))
        target.chmod(int(str(file.get("permissions", DEFAULT_MODE)), 8))


def packages(config: Mapping[str, Any]) -> Sequence[str]:
    """The packages that the first boot installs."""
    return [str(name) for name in config.get("packages", [])]


def commands(config: Mapping[str, Any]) -> list[Sequence[str]]:
    """The commands of `runcmd`, which run at the end of the first boot."""
    return [
        shlex.split(command) if isinstance(command, str) else [str(argument) for argument in command]
        for command in config.get("runcmd", [])
    ]


def _content(file: Mapping[str, Any]) -> bytes:
    content = str(file.get("content", "")).encode()
    for step in reversed(str(file.get("encoding", "text/plain")).split("+")):
        match step:
            case "b64" | "base64":
                content = base64.b64decode(content)
            case "gz" | "gzip":
                content = gzip.decompress(content)
            case "text/plain":
                pass
            case _:
                raise RehearsalError(f"{file['path']}: cloud-init does not support the encoding {step}")
    return content
