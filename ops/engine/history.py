"""The history of a stack: its past updates, their results, and the settings that they applied."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from pydantic import Field, JsonValue

from ops.engine.cli import output_of
from ops.engine.stack import Setting, read_checkpoint
from ops.plan import EngineModel

PAGE_SIZE = 3
"""Updates that are read at a time. Each is a file in the state's bucket, and the newest is usually enough."""
SUCCEEDED = "succeeded"
ONLY = "Only "
"""The message of an update of one resource begins with it. The engine records nothing else that shows this."""


class Update(EngineModel):
    """One entry of the history. The engine adds it when the operation ends, and none if it was killed.

    Attributes:
        kind: "update" for `pulumi up`; "refresh" and "import" are others.
        result: "succeeded" or "failed". An update that Ctrl-C stopped has failed.
        message: what the command passed to the engine; otherwise the subject of the commit.
        environment: facts about the machine and the checkout, such as `git.head`.
        config: the settings at that time, by key with prefix. Secrets have no value.
    """

    kind: str
    result: str = ""
    start_time: str = ""
    version: int = 0
    message: str = ""
    environment: Mapping[str, str] = Field(default_factory=dict)
    config: Mapping[str, Setting] = Field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        return self.result == SUCCEEDED

    @property
    def targeted(self) -> bool:
        """Whether it applied its settings to one resource only."""
        return self.message.startswith(ONLY)

    def setting(self, key: str) -> JsonValue:
        """The value of a setting, for example "honeydue:images"; None if it was not set."""
        setting = self.config.get(key)
        return setting.content if setting else None


def updates(stack: str) -> Iterator[Update]:
    """The updates of the stack, newest first. Reads them as they are needed."""
    for page in count(1):
        arguments = ["--json", "--page-size", str(PAGE_SIZE), "--page", str(page)]
        entries = json.loads(output_of("stack history", stack, arguments))
        yield from (Update.model_validate(entry) for entry in entries if entry["kind"] == "update")
        if len(entries) < PAGE_SIZE:
            return


def last_updates(stack: str) -> tuple[Update | None, Update | None]:
    """The newest update that ended, and the newest one that succeeded. None where there is none."""
    last = complete = None
    for update in updates(stack):
        last = last or update
        if update.succeeded:
            complete = update
            break
    return last, complete


def incomplete_update(stack: str) -> str | None:
    """Why the state may differ from what the last update really changed, or None if it succeeded.

    A provider that is stopped while it waits for a change reports a failure, and the engine then keeps the resource's
    old state, although the change was made (pulumi-kubernetes, provider.go: Update).
    """
    with ThreadPoolExecutor() as executor:
        # At the same time, because each of them starts the engine.
        last = executor.submit(lambda: next(updates(stack), None))
        pending = read_checkpoint(stack).interrupted
    if pending:
        return f"was killed while it changed {', '.join(pending)}"
    update = last.result()
    return None if update is None or update.succeeded else "failed or was stopped"
