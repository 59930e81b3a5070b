"""What adoption, a release and drift ask of the engine: the stack's settings, plans, the import itself, and what the state holds."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from infra.settings.topology import ClusterSettings
from ops import planning
from ops.adoption.findings import dig
from ops.errors import OpsError
from ops.kubeconfig import without_rights
from ops.kubernetes import Cluster
from ops.plan import Plan, PlanError, State
from ops.planning import FORCE, REFRESH, run, stream
from ops.stackfile import settings_file

PROVIDER = "pulumi:providers:"
Settings = Mapping[str, JsonValue]
"""By key without the project; what only the operator can set is among them, and never shown."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True)


class Entry(_Model):
    """One resource of an import file. `name` is unique in the file, `logical_name` is the program's where that is another one."""

    type: str
    name: str
    id: str | None = None
    component: bool = False
    logical_name: str | None = None
    inputs: Mapping[str, JsonValue] = Field(default_factory=dict)

    @property
    def own_name(self) -> str:
        return self.logical_name or self.name


class ImportFile(_Model):
    """What `pulumi preview --import-file` writes and `pulumi import --file` reads; the table tells the URNs of parents and providers."""

    name_table: Mapping[str, str] = Field(default_factory=dict)
    resources: Sequence[Entry] = ()


class _Setting(_Model):
    value: str = ""
    object_value: JsonValue = None


def settings(stack: str) -> Settings:
    """As the stack holds them, checked by nobody yet."""
    answer = _answered(["config", "--show-secrets", "--json"], stack)
    held = {key.partition(":")[2]: _Setting.model_validate(value) for key, value in json.loads(answer).items()}
    return {key: one.value if one.object_value is None else one.object_value for key, one in held.items()}


def plan_imports(stack: str, settings: Settings) -> tuple[Plan, ImportFile]:
    """What an `up` would do, and what of it could be an import instead.

    Planned as somebody without rights in the cluster: the provider then does without the API server's opinion of each create, which
    would be one of a mixture of what is there and what is wanted, and often a refusal.
    """
    kubeconfig, context = settings.get("kubeconfig"), dig(settings, "cluster", "context")
    with tempfile.TemporaryDirectory(prefix="honeydue-") as scratch:
        copy, file = Path(scratch) / f"Pulumi.{stack}.yaml", Path(scratch) / "import.json"
        shutil.copyfile(settings_file(stack), copy)
        if isinstance(kubeconfig, str) and isinstance(context, str) and kubeconfig:
            planner = without_rights(kubeconfig, context)
            _answered(
                ["config", "set", "--secret", "honeydue:kubeconfig", "--config-file", str(copy)], stack, stdin=planner
            )
        plan = _planned(stack, ["--import-file", str(file), "--config-file", str(copy)])
        entries = ImportFile.model_validate_json(file.read_text()) if file.exists() else ImportFile()
        return plan, entries.model_copy(
            update={"resources": [_with_rights(one, kubeconfig) for one in entries.resources]}
        )


def plan_refreshed(stack: str, *, without: Sequence[str] = ()) -> Plan:
    """What an `up` would do after another look at all that the stack holds, but for URNs like `without`. Nothing is written.

    No `--expect-no-changes`: its one exit code is that of a change and of a failure.
    """
    return _planned(stack, [*REFRESH, *(f"--exclude={pattern}" for pattern in without)], FORCE)


def _planned(stack: str, flags: Sequence[str], environment: Mapping[str, str] = MappingProxyType({})) -> Plan:
    """A plan without errors, or a PlanError."""
    done = planning.previewed(stack, flags, {**os.environ, **environment})
    plan = Plan.read(done.stdout) if done.stdout.strip() else Plan()
    if done.returncode != 0 or plan.errors:
        raise PlanError("\n".join(dict.fromkeys(plan.errors)) or _explained(done.stderr, stack))
    return plan


def _with_rights(entry: Entry, kubeconfig: JsonValue) -> Entry:
    """The provider of Kubernetes with the stack's own kubeconfig again; the engine encrypts it."""
    if entry.type != f"{PROVIDER}kubernetes":
        return entry
    secret = {SECRET_MARK: SECRET, "plaintext": json.dumps(kubeconfig)}
    return entry.model_copy(update={"inputs": {**entry.inputs, "kubeconfig": secret}})


SECRET_MARK, SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
"""How the engine writes that a value is secret (pulumi/sdk/go/common/resource/sig)."""
STREAMED_JSON = {"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"}


def previewed(stack: str) -> Iterator[JsonValue]:
    """The events of a preview, which tell what a plan does not: how the API server itself would write what changes."""
    command = ["pulumi", "preview", "--stack", stack, "--json", "--ignore-protect", "--non-interactive"]
    done = run(command, {**os.environ, **STREAMED_JSON})
    events = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode != 0:
        said = [one["diagnosticEvent"] for one in events if "diagnosticEvent" in one]
        raise PlanError(
            "\n".join(one["message"].strip() for one in said if one["severity"] == "error")
            or _explained(done.stderr, stack)
        )
    yield from events


def import_resources(stack: str, file: ImportFile) -> None:
    """Takes over what the file names, at the person's own terminal; what is done when it is interrupted stays done."""
    with _written(file) as path:
        status = stream(
            ["pulumi", "import", "--stack", stack, "--file", path, "--generate-code=false", "--yes", "--skip-preview"]
        )
    if status != 0:
        raise OpsError("the import ended as shown above; what was imported stays so. Run it again to go on")


@contextmanager
def _written(file: ImportFile) -> Iterator[str]:
    # Readable by its owner alone, and gone at once: the kubeconfig stands in it.
    with tempfile.NamedTemporaryFile("w", prefix="honeydue-", suffix=".json") as scratch:
        scratch.write(file.model_dump_json(by_alias=True, exclude_none=True, exclude_defaults=True))
        scratch.flush()
        yield scratch.name


class Checkpoint(_Model):
    """The state at one moment, secrets encrypted."""

    manifest: Mapping[str, JsonValue] = Field(default_factory=dict)
    """When it was written, among others."""
    resources: Sequence[State] = ()
    pending_operations: Sequence[JsonValue] = ()
    """What was begun and is not done: an update runs, or was killed."""


def checkpoint(stack: str) -> Checkpoint:
    """The state as it is now."""
    exported = json.loads(_answered(["stack", "export"], stack))
    try:
        return Checkpoint.model_validate(exported.get("deployment") or {})
    except ValidationError as error:
        raise OpsError(
            f"the stack's state cannot be read: {error.error_count()} parts of it have another form"
        ) from None


def held(stack: str) -> Sequence[State]:
    """What the stack's state holds, secrets encrypted."""
    return checkpoint(stack).resources


def output(stack: str, name: str) -> str:
    """One of the stack's outputs, a secret one opened: not to be shown."""
    return _answered(["stack", "output", name, "--show-secrets"], stack)


def cluster(stack: str, held: Settings) -> AbstractContextManager[Cluster]:
    """The cluster by the kubeconfig that the settings hold, or else by that of the cluster which the program founded."""
    kubeconfig = held.get("kubeconfig") or output(stack, "kubeconfig")
    return Cluster.reach(str(kubeconfig), TypeAdapter(ClusterSettings).validate_python(held.get("cluster", {})).context)


def _answered(arguments: Sequence[str], stack: str, *, stdin: str = "") -> str:
    done = run(["pulumi", *arguments, "--stack", stack, "--non-interactive"], stdin=stdin)
    if done.returncode != 0:
        raise OpsError(_explained(done.stderr or done.stdout, stack))
    return done.stdout


def _explained(said: str, stack: str) -> str:
    """What the engine said, or where it is known, what to do about it."""
    if "no stack named" in said:
        return f"there is no stack {stack} yet: pulumi stack init {stack}"
    if "PULUMI_ACCESS_TOKEN" in said or "pulumi login" in said:
        return "you are not logged in to where the state lives: pulumi login"
    if "passphrase" in said:
        return (
            "the stack's secrets need their passphrase: set PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE"
        )
    return said.strip().removeprefix("error: ")
