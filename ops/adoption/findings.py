"""What an adoption looks for, and what it finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Self

from pydantic import JsonValue

from ops.plan import Step, short_name

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine writes for a value that it does not know yet."""


class Verdict(Enum):
    """In the order they are shown: what needs a person first."""

    AMBIGUOUS = "ambiguous"
    FOUND = "found"
    MISSING = "missing"
    LEFT_OUT = "left out"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Whether a resource exists already: its id for the import, or what happens instead of one."""

    verdict: Verdict
    id: str = ""
    note: str = ""

    @classmethod
    def found(cls, id_: str, note: str = "") -> Self:
        return cls(verdict=Verdict.FOUND, id=id_, note=note)

    @classmethod
    def missing(cls) -> Self:
        return cls(verdict=Verdict.MISSING, note="the first up makes it")

    @classmethod
    def ambiguous(cls, why: str) -> Self:
        """A person must decide: more than one fits, or something else stands in its place."""
        return cls(verdict=Verdict.AMBIGUOUS, note=why)

    @classmethod
    def left_out(cls, why: str) -> Self:
        return cls(verdict=Verdict.LEFT_OUT, note=why)

    @classmethod
    def one_of(cls, ids: Mapping[str, str], what: str) -> Self:
        """Of those that fit, notes by id."""
        match list(ids.items()):
            case []:
                return cls.missing()
            case [(id_, note)]:
                return cls.found(id_, note)
            case several:
                return cls.ambiguous(
                    f"{len(several)} {what}: " + ", ".join(f"{note} (id {id_})" for id_, note in several)
                )


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A resource of the program that the stack does not know yet."""

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
        """A text among its inputs; None when it is not given, or not known before an `up`."""
        value = dig(self.inputs, *path)
        return value if isinstance(value, str) and value != UNKNOWN else None


def dig(value: JsonValue | Mapping[str, JsonValue], *path: str) -> JsonValue:
    """A value inside of nested maps; None where the way ends."""
    here: object = value
    for key in path:
        here = here.get(key) if isinstance(here, Mapping) else None
    return here  # type: ignore[return-value]  # JSON inside of JSON
