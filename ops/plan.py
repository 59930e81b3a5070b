"""A plan as `pulumi preview --json` tells it, typed. The engine has masked what is secret before it is read here."""

from collections.abc import Mapping, Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic.alias_generators import to_camel

DELETING_OPERATIONS = frozenset(
    {"delete", "delete-replaced", "replace", "create-replacement", "import-replacement", "remove-pending-replace"}
)
"""Operations that delete the existing resource, with or without a replacement (pulumi/pkg/v3/resource/deploy/step.go)."""
UNTOUCHED = frozenset({"same", "read", "refresh"})
_OWN = "pulumi:"


class PlanError(Exception):
    """The engine made no plan; why, in the engine's own words."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


def short_name(urn: str) -> str:
    """ "Server::hetzner1": how a resource is named to people. No shell and no make reads anything into it, as they would into a URN."""
    chain, _, name = urn.split("::", 2)[2].partition("::")
    return f"{chain.rsplit(':', 1)[-1]}::{name}"


class State(_Model):
    """A resource before or after the plan."""

    urn: str
    type: str
    id: str = ""
    custom: bool = False
    protect: bool = False
    inputs: Mapping[str, JsonValue] = Field(default_factory=dict)
    outputs: Mapping[str, JsonValue] = Field(default_factory=dict)
    dependencies: Sequence[str] = ()

    @property
    def short(self) -> str:
        return short_name(self.urn)

    @property
    def name(self) -> str:
        return self.urn.rsplit("::", 1)[-1]

    @property
    def real(self) -> bool:
        """Whether it stands for a thing in the world: no component, no provider."""
        return self.custom and not self.type.startswith(_OWN)


class Change(_Model):
    """How one property differs: "add", "update", "delete", each also as "…-replace"."""

    kind: str

    @property
    def replaces(self) -> bool:
        return self.kind.endswith("-replace")


class Step(_Model):
    """What the plan does to one resource."""

    op: str
    urn: str
    old: State | None = Field(default=None, alias="oldState")
    new: State | None = Field(default=None, alias="newState")
    detailed_diff: Mapping[str, Change] | None = None
    replace_reasons: Sequence[str] = ()

    @property
    def short(self) -> str:
        return short_name(self.urn)

    @property
    def state(self) -> State:
        """The resource as it will be, or as it was if it will be no more."""
        state = self.new or self.old
        if state is None:
            raise PlanError(f"{self.short}: the plan tells neither what it was nor what it will be")
        return state

    @property
    def changed(self) -> Sequence[str]:
        """Paths of the properties that differ, "rules[2].sourceIps[4]" say."""
        return tuple(self.detailed_diff or self.replace_reasons)

    @property
    def deletes(self) -> bool:
        """Whether the existing resource is deleted, with or without a replacement."""
        return self.op in DELETING_OPERATIONS

    @property
    def touches(self) -> bool:
        """Whether anything real happens to it."""
        return self.op not in UNTOUCHED and self.state.real


class Diagnostic(_Model):
    """What the program or a provider said while planning."""

    message: str
    severity: str
    urn: str = ""


class Plan(_Model):
    """All that a preview would do, what does not change included where it was asked for (`--show-sames`)."""

    config: Mapping[str, str] = Field(default_factory=dict)
    steps: Sequence[Step] = ()
    diagnostics: Sequence[Diagnostic] = ()

    @classmethod
    def read(cls, answer: str) -> Self:
        """From the engine's JSON; a PlanError when it is something else."""
        try:
            return cls.model_validate_json(answer)
        except ValidationError as error:
            # Its text would show what the answer holds.
            where = ", ".join(
                ".".join(map(str, one["loc"])) or one["type"] for one in error.errors(include_input=False)[:3]
            )
            raise PlanError(f"what the engine answered is no plan ({where})") from None

    @property
    def errors(self) -> Sequence[str]:
        """Why the engine could not plan to the end."""
        return self._said("error")

    @property
    def warnings(self) -> Sequence[str]:
        return self._said("warning")

    @property
    def stack(self) -> str:
        return self.steps[0].urn.split(":")[2] if self.steps else ""

    @property
    def changes(self) -> Sequence[Step]:
        return tuple(step for step in self.steps if step.touches)

    def _said(self, severity: str) -> Sequence[str]:
        return tuple(one.message.strip() for one in self.diagnostics if one.severity == severity)
