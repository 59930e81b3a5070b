"""Reads and edits a stack's settings file. An edit keeps comments, quotes and the format of all other values."""

import os
import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import SingleQuotedScalarString

from ops.errors import OpsError

Document = MutableMapping[str, Any]

_yaml = YAML()
_yaml.preserve_quotes = True
# Never fold a long line: it would split an image digest or a key.
_yaml.width = 1_000_000


_LIKE_A_NUMBER = re.compile(r"[0-9][0-9_.eExXoObB-]*|0[xX][0-9a-fA-F_]+")
"""YAML parsers disagree on what is a number. The engine reads 1e1_0, 0X12 and 2026-1-1 as others than text."""


def settings_file(stack: str) -> Path:
    """The settings file that the engine reads. A rehearsal sets the variable to a copy."""
    return Path(os.environ.get("PULUMI_OPTION_CONFIG_FILE", f"Pulumi.{stack}.yaml"))


def load(file: Path) -> Document:
    """The file's content. Raises an OpsError if it does not exist or is not YAML."""
    try:
        with file.open() as source:
            document: Document = _yaml.load(source) or {}
    except FileNotFoundError as error:
        raise OpsError(f"the settings file {file} does not exist. Run this command in the checkout") from error
    except YAMLError as error:
        raise OpsError(f"{file.name} is not valid YAML: {' '.join(str(error).split())}") from error
    return document


def store(document: Document, file: Path) -> None:
    with file.open("w") as target:
        _yaml.dump(document, target)


def set_value(file: Path, path: str, value: object) -> None:
    """Set one value by its path, for example `honeydue:images.api`. None removes it."""
    document = load(file)
    mapping = document.setdefault("config", {})
    *parents, last = path.split(".")
    for parent in parents:
        mapping = mapping.setdefault(parent, {})
    if value is None:
        mapping.pop(last, None)
    elif isinstance(value, str) and _LIKE_A_NUMBER.fullmatch(value):
        mapping[last] = SingleQuotedScalarString(value)
    else:
        mapping[last] = value
    store(document, file)
