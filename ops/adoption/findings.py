"""The resources that an adoption looks up, and the results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Self

from pydantic import JsonValue

from ops.engine.sentinels import UNKNOWN
from ops.json_paths import dig
from ops.plan import Step, short_name


class Status(Enum):
    """Result of a lookup, in the order of the report: first what an operator must decide."""

    AMBIGUOUS = "ambiguous"
    FOUND = "found"
    MISSING = "missing"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Whether a resource exists already: its id for the import, or a note on what happens instead."""

    status: Status
    id: str = ""
    note: str = ""

    @classmethod
    def found(cls, id_: str, note: str = "") -> Self:
        return cls(status=Status.FOUND, id=id_, note=note)

    @classmethod
    def missing(cls) -> Self:
        return cls(status=Status.MISSING, note="the first up creates it")

    @classmethod
    def ambiguous(cls, reason: str) -> Self:
        """An operator must decide: several resources match, or another resource is in the way."""
        return cls(status=Status.AMBIGUOUS, note=reason)

    @classmethod
    def skipped(cls, reason: str) -> Self:
        """The resource cannot be imported."""
        return cls(status=Status.SKIPPED, note=reason)

    @classmethod
    def of_matches(cls, matches: Mapping[str, str], description: str) -> Self:
        """The result for resources that match, as notes by id. `description` completes "2 …" if several match."""
        match list(matches.items()):
            case []:
                return cls.missing()
            case [(id_, note)]:
                return cls.found(id_, note)
            case several:
                notes = ", ".join(f"{note} (id {id_})" for id_, note in several)
                return cls.ambiguous(f"{len(several)} {description}: {notes}")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A resource that the next `up` would create, and that may exist already."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, JsonValue]
    dependencies: Sequence[str]

    @classmethod
    def of(cls, step: Step) -> Self:
        return cls(
            urn=step.urn,
            type=step.state.type,
            name=step.state.name,
            inputs=step.state.inputs,
            dependencies=step.state.dependencies,
        )

    @property
    def short(self) -> str:
        return short_name(self.urn)

    def text(self, *path: str) -> str | None:
        """A string among the inputs. None if it is missing, or unknown before an `up`."""
        value = dig(self.inputs, *path)
        return value if isinstance(value, str) and value != UNKNOWN else None
