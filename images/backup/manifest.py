"""The manifest beside each dump: what the dump contains, counted in the snapshot that pg_dump reads."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

from .errors import BackupError

DUMP, MANIFEST = ".dump.age", ".manifest.json"
"""The endings of both objects of a backup, after its time."""
TIME_FORMAT = "%Y%m%dT%H%M%SZ"
"""The names of objects sort by their time, which is in UTC."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a database contains.

    `schema_version` is the newest migration of goose, None without its table. `tables` are the rows by the name of the
    table with its schema. `extensions` are those that the database uses, with their versions.
    """

    schema_version: int | None
    tables: Mapping[str, int]
    extensions: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(self.tables.values())

    def differences(self, restored: "Contents") -> Iterator[str]:
        """One line for each difference of a database that was restored from the dump."""
        if self.schema_version != restored.schema_version:
            yield f"schema version {restored.schema_version}, {self.schema_version} was expected"
        for table in sorted({*self.tables, *restored.tables}):
            expected, rows = self.tables.get(table), restored.tables.get(table)
            if expected is None:
                yield f"table {table} is not in the manifest"
            elif rows is None:
                yield f"table {table} is missing"
            elif rows != expected:
                yield f"table {table} has {rows} rows, {expected} were expected"


@dataclass(frozen=True, kw_only=True)
class Manifest(Contents):
    """The contents of a dump, and the dump itself.

    `postgres_version` is that of the server, and `client_version` that of pg_dump: an older pg_restore cannot read the
    dump. `bytes` and `sha256` are those of the encrypted object. `started` is in RFC 3339, `seconds` the duration.
    """

    postgres_version: str
    client_version: int
    bytes: int
    sha256: str
    started: str
    seconds: float

    def text(self) -> str:
        """The manifest as JSON, with keys in camelCase."""
        return json.dumps({_camel(name): value for name, value in asdict(self).items()}, indent=1) + "\n"

    @classmethod
    def parse(cls, text: str) -> "Manifest":
        """Reads a manifest. Raises a BackupError if it is not one."""
        try:
            content = json.loads(text)
            return cls(**{name: content[_camel(name)] for name in cls.__dataclass_fields__})
        except (ValueError, KeyError, TypeError) as error:
            raise BackupError(f"the manifest cannot be read ({type(error).__name__}: {error})") from error


def _camel(name: str) -> str:
    first, *words = name.split("_")
    return first + "".join(word.capitalize() for word in words)
