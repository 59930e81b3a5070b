"""A plan: the JSON of `pulumi preview --json`, typed. The engine masks secrets before it writes them."""

import json
from collections.abc import Mapping, Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic.alias_generators import to_camel

from ops.engine.sentinels import UNKNOWN
from ops.errors import OpsError
from ops.field_conflict import explain_conflict

DELETING_OPERATIONS = frozenset(
    {"delete", "delete-replaced", "replace", "create-replacement", "import-replacement", "remove-pending-replace"}
)
"""Operations that delete the existing resource, replaced or not (pulumi/pkg/v3/resource/deploy/step.go)."""
UNCHANGED_OPERATIONS = frozenset({"same", "read", "refresh"})
_BUILT_IN = "pulumi:"


class PlanError(OpsError):
    """The engine could not compute a plan. The message is the engine's."""


class EngineModel(BaseModel):
    """Base class for JSON that the engine reads or writes: immutable, with camelCase keys."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


def short_name(urn: str) -> str:
    """A resource's type and name, "Server::hetzner1". Unlike a URN it needs no quoting in a shell or in make."""
    type_chain, _, name = urn.split("::", 2)[2].partition("::")
    return f"{type_chain.rsplit(':', 1)[-1]}::{name}"


class State(EngineModel):
    """A resource before or after the plan."""

    urn: str
    type: str
    id: str = ""
    custom: bool = False
    protect: bool = False
    inputs: Mapping[str, JsonValue] = Field(default_factory=dict)
    outputs: Mapping[str, JsonValue] = Field(default_factory=dict)
    dependencies: Sequence[str] = ()
    resource_hooks: Mapping[str, Sequence[str]] = Field(default_factory=dict)

    @property
    def short(self) -> str:
        return short_name(self.urn)

    @property
    def name(self) -> str:
        return self.urn.rsplit("::", 1)[-1]

    @property
    def managed(self) -> bool:
        """Whether a provider manages it: a custom resource of Pulumi, but no provider."""
        return self.custom and not self.type.startswith(_BUILT_IN)


class Change(EngineModel):
    """How one property changes: "add", "update" or "delete", or one of these with "-replace" appended."""

    kind: str


class Step(EngineModel):
    """One operation on one resource."""

    op: str
    urn: str
    old: State | None = Field(default=None, alias="oldState")
    new: State | None = Field(default=None, alias="newState")
    detailed_diff: Mapping[str, Change] | None = None
    diff_reasons: Sequence[str] = ()
    replace_reasons: Sequence[str] = ()

    @property
    def short(self) -> str:
        return short_name(self.urn)

    @property
    def state(self) -> State:
        """The new state, or the old one of a resource that is deleted."""
        state = self.new or self.old
        if state is None:
            raise PlanError(f"{self.short}: the plan contains neither its old nor its new state")
        return state

    @property
    def changed(self) -> Sequence[str]:
        """Paths of the properties that change, for example "rules[2].sourceIps[4]".

        Providers on Terraform's plugin framework (Cloudflare, some of Hetzner) return only top-level names, together
        with those of outputs that they compute again. Those outputs are left out, unless nothing else changes.
        """
        if self.detailed_diff:
            return tuple(self.detailed_diff)
        inputs = tuple(name for name in self.diff_reasons if self._is_input(name))
        return inputs or self.diff_reasons or self.replace_reasons

    def _is_input(self, name: str) -> bool:
        """Whether the program sets the property, or no longer sets it and the provider does not choose it either."""
        if self.new and name in self.new.inputs:
            return True
        chosen = self.new and self.new.outputs.get(name) == UNKNOWN
        return bool(self.old and name in self.old.inputs and not chosen)

    @property
    def deletes(self) -> bool:
        """Whether the existing resource is deleted, with or without a replacement."""
        return self.op in DELETING_OPERATIONS

    @property
    def changes_resource(self) -> bool:
        """Whether a provider changes anything."""
        return self.op not in UNCHANGED_OPERATIONS and self.state.managed


class Diagnostic(EngineModel):
    """A message of the program or a provider."""

    message: str
    severity: str
    urn: str = ""

    @property
    def explanation(self) -> str:
        """The message, or what it means where that is known."""
        resource = short_name(self.urn) if self.urn else "a resource"
        return explain_conflict(resource, self.message) or self.message.strip()


class Plan(EngineModel):
    """Every step of a preview. With `--show-sames` it includes the resources that do not change.

    Attributes:
        refreshed: whether the state was refreshed before. It must be refreshed again when the plan is applied.
    """

    refreshed: bool = False
    config: Mapping[str, str] = Field(default_factory=dict)
    steps: Sequence[Step] = ()
    diagnostics: Sequence[Diagnostic] = ()

    @classmethod
    def read(cls, text: str) -> Self:
        """Parse the engine's JSON. Raises a PlanError if it is not a plan."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            # Only the paths: the error's own text quotes values, which may be secret.
            paths = ", ".join(
                ".".join(map(str, detail["loc"])) or detail["type"] for detail in error.errors(include_input=False)[:3]
            )
            raise PlanError(f"the output of pulumi preview is not a plan ({paths})") from None

    def setting(self, key: str) -> JsonValue:
        """The value of a setting with keys, for example "honeydue:images". None if it is not set or is no JSON.

        The program reports what is wrong with it, and its errors are part of the plan.
        """
        try:
            value: JsonValue = json.loads(self.config.get(key) or "null")
        except ValueError:
            return None
        return value

    @property
    def errors(self) -> Sequence[str]:
        """Errors because of which the plan is incomplete."""
        return tuple(dict.fromkeys(diagnostic.explanation for diagnostic in self._diagnostics("error")))

    @property
    def warnings(self) -> Sequence[str]:
        return tuple(diagnostic.message.strip() for diagnostic in self._diagnostics("warning"))

    @property
    def stack(self) -> str:
        return self.steps[0].urn.split(":")[2] if self.steps else ""

    @property
    def changes(self) -> Sequence[Step]:
        return tuple(step for step in self.steps if step.changes_resource)

    def _diagnostics(self, severity: str) -> Sequence[Diagnostic]:
        return [diagnostic for diagnostic in self.diagnostics if diagnostic.severity == severity]
