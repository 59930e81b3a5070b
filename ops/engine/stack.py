"""A stack's settings, state and outputs."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import ConfigDict, Field, JsonValue, ValidationError

from ops.engine.cli import output_of
from ops.errors import OpsError
from ops.plan import EngineModel, State

Settings = Mapping[str, JsonValue]
"""Settings by key, without the "honeydue:" prefix. Secrets are decrypted: never print them."""


class Setting(EngineModel):
    """A setting as the engine prints it."""

    value: str = ""
    object_value: JsonValue = None

    @property
    def content(self) -> JsonValue:
        return self.value if self.object_value is None else self.object_value


CREATING = "creating"


class PendingOperation(EngineModel):
    """An operation that started and did not complete. `type` is "creating", "updating", "deleting" or another."""

    model_config = ConfigDict(extra="allow")

    resource: State
    type: str


class Checkpoint(EngineModel):
    """The state at one moment.

    Attributes:
        manifest: when the state was written, among others.
        pending_operations: operations that started and did not complete, because an update runs or was killed.
    """

    model_config = ConfigDict(extra="allow")

    manifest: Mapping[str, JsonValue] = Field(default_factory=dict)
    resources: Sequence[State] = ()
    pending_operations: Sequence[PendingOperation] = ()

    @property
    def interrupted(self) -> Sequence[str]:
        """Short names of the resources whose state a refresh corrects. It does not find one that was being created."""
        return [item.resource.short for item in self.pending_operations if item.type != CREATING]

    @property
    def written(self) -> datetime:
        """When the state was written, according to the machine of that update."""
        return datetime.fromisoformat(str(self.manifest["time"]))


def read_settings(stack: str) -> Settings:
    """The stack's settings as stored. They are not validated."""
    output = json.loads(output_of("config", stack, ["--show-secrets", "--json"]))
    return {key.partition(":")[2]: Setting.model_validate(value).content for key, value in output.items()}


def read_checkpoint(stack: str, *, show_secrets: bool = False) -> Checkpoint:
    """The stack's current state. With `show_secrets`, its secrets are decrypted: never print it."""
    exported = json.loads(output_of("stack export", stack, ["--show-secrets"] if show_secrets else []))
    try:
        return Checkpoint.model_validate(exported.get("deployment") or {})
    except ValidationError as error:
        raise OpsError(
            f"the state of stack {stack} has an unexpected format: {error.error_count()} values are invalid"
        ) from None


def state_resources(stack: str) -> Sequence[State]:
    """The resources in the stack's state, with encrypted secrets."""
    return read_checkpoint(stack).resources


def read_output(stack: str, name: str) -> str:
    """One of the stack's outputs. A secret output is decrypted: never print it."""
    return output_of("stack output", stack, [name, "--show-secrets"])
