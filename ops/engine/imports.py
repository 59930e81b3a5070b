"""Imports: which resources of the program could be imported instead of created, and the import itself."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import ConfigDict, Field, JsonValue

from ops.engine.cli import output_of, run_in_terminal
from ops.engine.preview import make_complete_plan
from ops.engine.sentinels import SECRET_SIGNATURE, SIGNATURE_KEY
from ops.engine.stack import Settings
from ops.errors import OpsError
from ops.json_paths import dig
from ops.kubeconfig import without_permissions
from ops.plan import EngineModel, Plan
from ops.stackfile import settings_file

PROVIDER = "pulumi:providers:"


class Entry(EngineModel):
    """One resource of an import file.

    Attributes:
        name: unique in the file.
        logical_name: the resource's name in the program, where it differs from `name`.
    """

    # Fields that are not read here must be written back unchanged.
    model_config = ConfigDict(extra="allow")

    type: str
    name: str
    id: str | None = None
    component: bool = False
    logical_name: str | None = None
    inputs: Mapping[str, JsonValue] = Field(default_factory=dict)

    @property
    def program_name(self) -> str:
        return self.logical_name or self.name


class ImportFile(EngineModel):
    """What `pulumi preview --import-file` writes and `pulumi import --file` reads.

    Attributes:
        name_table: URNs of parents and providers, by the name that entries use for them.
    """

    model_config = ConfigDict(extra="allow")

    name_table: Mapping[str, str] = Field(default_factory=dict)
    resources: Sequence[Entry] = ()


def planned_imports(stack: str, *flags: str) -> tuple[Plan, ImportFile]:
    """What an `up` would create, and the import file for all of it."""
    with tempfile.TemporaryDirectory(prefix="honeydue-") as folder:
        file = Path(folder) / "import.json"
        plan = make_complete_plan(stack, flags=["--import-file", str(file), *flags])
        return plan, ImportFile.model_validate_json(file.read_text()) if file.exists() else ImportFile()


def plan_imports(stack: str, settings: Settings) -> tuple[Plan, ImportFile]:
    """The planned imports of an adoption.

    The plan uses a kubeconfig without permissions. With permissions, the Kubernetes provider sends each create to the
    API server as a dry run, which merges it with the existing object and often rejects the result.
    """
    kubeconfig, context = settings.get("kubeconfig"), dig(settings, "cluster", "context")
    with tempfile.TemporaryDirectory(prefix="honeydue-") as folder:
        copy = Path(folder) / f"Pulumi.{stack}.yaml"
        shutil.copyfile(settings_file(stack), copy)
        if isinstance(kubeconfig, str) and isinstance(context, str) and kubeconfig:
            output_of(
                "config set",
                stack,
                ["--secret", "honeydue:kubeconfig", "--config-file", str(copy)],
                stdin=without_permissions(kubeconfig, context),
            )
        plan, import_file = planned_imports(stack, "--config-file", str(copy))
    entries = [_with_kubeconfig(entry, kubeconfig) for entry in import_file.resources]
    return plan, import_file.model_copy(update={"resources": entries})


def _with_kubeconfig(entry: Entry, kubeconfig: JsonValue) -> Entry:
    """The Kubernetes provider with the stack's own kubeconfig. The engine encrypts it."""
    if entry.type != f"{PROVIDER}kubernetes":
        return entry
    secret = {SIGNATURE_KEY: SECRET_SIGNATURE, "plaintext": json.dumps(kubeconfig)}
    return entry.model_copy(update={"inputs": {**entry.inputs, "kubeconfig": secret}})


def import_resources(stack: str, file: ImportFile) -> None:
    """Import the entries of the file, in the operator's terminal. An interruption keeps the completed imports."""
    with _written(file) as path:
        status = run_in_terminal("import", stack, ["--file", path, "--generate-code=false", "--yes", "--skip-preview"])
    if status != 0:
        raise OpsError(
            "the import failed as shown above. Resources that it imported stay imported; run the command again"
        )


@contextmanager
def _written(file: ImportFile) -> Iterator[str]:
    # The file contains the kubeconfig. Only its owner can read a temporary file, and it is deleted after the import.
    with tempfile.NamedTemporaryFile("w", prefix="honeydue-", suffix=".json") as temporary:
        temporary.write(file.model_dump_json(by_alias=True, exclude_none=True, exclude_defaults=True))
        temporary.flush()
        yield temporary.name
