"""A stack's settings file, read and changed as if by hand: comments, quotes and the writing of every other value stay."""

import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ops.errors import OpsError

Document = MutableMapping[str, Any]

_yaml = YAML()
_yaml.preserve_quotes = True
# Never folds a long line: an image digest or a key would be cut.
_yaml.width = 1_000_000


def settings_file(stack: str) -> Path:
    """The file that the engine reads; the variable is what leads a rehearsal's engine to a copy."""
    return Path(os.environ.get("PULUMI_OPTION_CONFIG_FILE", f"Pulumi.{stack}.yaml"))


def load(file: Path) -> Document:
    try:
        with file.open() as source:
            document: Document = _yaml.load(source) or {}
    except FileNotFoundError as error:
        raise OpsError(f"no settings at {file}: run this in the checkout") from error
    except YAMLError as error:
        raise OpsError(f"{file.name} is no valid YAML: {' '.join(str(error).split())}") from error
    return document


def store(document: Document, file: Path) -> None:
    with file.open("w") as target:
        _yaml.dump(document, target)


def set_value(file: Path, path: str, value: object) -> None:
    """Sets one value by its path, `honeydue:images.api` say; None removes it."""
    document = load(file)
    place = document.setdefault("config", {})
    *parents, last = path.split(".")
    for parent in parents:
        place = place.setdefault(parent, {})
    if value is None:
        place.pop(last, None)
    else:
        place[last] = value
    store(document, file)
