"""The database schema of a release, from labels of the api image, and the message that records it in the history."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

SCHEMA_VERSION = "com.myhoneydue.schema.version"
"""The label with the version of the newest migration in the image, as goose numbers it."""
COMPATIBLE_WITH = "com.myhoneydue.schema.compatible-with"
"""The label with the oldest schema version whose releases work with the schema of this image."""

_RECORDED = re.compile(r"; schema (\d+)(?:, compatible with (\d+))?$")


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The schema of an api image.

    `compatible_with` is None if the image does not declare that older releases work with its schema.
    """

    version: int
    compatible_with: int | None = None

    @classmethod
    def of_labels(cls, labels: Mapping[str, str]) -> Self | None:
        """None if the image does not declare its schema."""
        version, compatible_with = labels.get(SCHEMA_VERSION, ""), labels.get(COMPATIBLE_WITH, "")
        if not version.isdecimal():
            return None
        return cls(version=int(version), compatible_with=int(compatible_with) if compatible_with.isdecimal() else None)

    @classmethod
    def of_message(cls, message: str) -> Self | None:
        """The schema that the message of an update records."""
        match = _RECORDED.search(message)
        if match is None:
            return None
        return cls(version=int(match[1]), compatible_with=int(match[2]) if match[2] else None)

    def __str__(self) -> str:
        compatible = "" if self.compatible_with is None else f", compatible with {self.compatible_with}"
        return f"schema {self.version}{compatible}"


def message_of(action: str, tags: Mapping[str, str], schema: Schema | None) -> str:
    """The message of an update, for example "Release api 0a1b2c3d4e; schema 42, compatible with 41"."""
    apps = ", ".join(f"{app} {tag}" for app, tag in tags.items())
    return f"{action} {apps}" + (f"; {schema}" if schema else "")
