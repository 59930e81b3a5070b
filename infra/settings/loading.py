"""Stack configuration as frozen, validated objects: the only module that reads `pulumi.Config`.

Every mistake is found before any provider is contacted and reported in one list, a line each.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from types import NoneType
from typing import Annotated, get_args, get_type_hints

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret
from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from infra.settings.schema import Settings

PROJECT = "honeydue"
EMPTY = ("", "{}")


class SettingsError(pulumi.RunError):
    """Mistakes in the stack's configuration; Pulumi prints the message of a RunError without a traceback."""


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """What a stack's file holds encrypted: secret in state, in diffs and in every output made from it.

    Beside each: what it is, and where its command reads it from when it is a file.
    """

    hetzner_token: Annotated[pulumi.Output[str], "Hetzner Cloud API token, read and write"]
    cloudflare_token: Annotated[pulumi.Output[str], "Cloudflare API token of the zone"]
    registry_password: Annotated[pulumi.Output[str], "access token of registryUsername"]
    postgres_password: Annotated[pulumi.Output[str], "password of the Postgres role"]
    redis_password: Annotated[pulumi.Output[str], "password redis asks for"]
    secret_key: Annotated[pulumi.Output[str], "key that signs the API's tokens"]
    admin_password: Annotated[pulumi.Output[str], "first administrator's password"]
    email_password: Annotated[pulumi.Output[str], "Fastmail app password"]
    b2_key_id: Annotated[pulumi.Output[str], "Backblaze application key id"]
    b2_application_key: Annotated[pulumi.Output[str], "Backblaze application key"]
    apns_key: Annotated[pulumi.Output[str], "Apple push key, the .p8 file", " < AuthKey.p8"]
    kubeconfig: Annotated[
        pulumi.Output[str] | None, "kubeconfig of the running cluster, certificates inline", " < kubeconfig.yaml"
    ] = None
    join_token: Annotated[
        pulumi.Output[str] | None, "join token, /var/lib/rancher/k3s/server/token of any of its servers"
    ] = None
    admin_basic_auth: Annotated[
        pulumi.Output[str] | None, "users of the password before the admin panel", " < users.htpasswd"
    ] = None
    snapshot_key_id: Annotated[
        pulumi.Output[str] | None, "Backblaze application key id of the bucket of the snapshots"
    ] = None
    snapshot_application_key: Annotated[
        pulumi.Output[str] | None, "Backblaze application key of the bucket of the snapshots"
    ] = None


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key that only the operator can set: what it is, and the command that does."""

    what: str
    command: str
    secret: bool
    optional: bool = False


SECRETS: Mapping[str, Key] = {
    (key := to_camel(name)): Key(
        what=hint.__metadata__[0],
        command=f"pulumi config set --secret {PROJECT}:{key}" + "".join(hint.__metadata__[1:]),
        secret=True,
        optional=NoneType in get_args(hint.__origin__),
    )
    for name, hint in get_type_hints(Secrets, include_extras=True).items()
}
"""An optional one that is not set is None to the program."""

OF_AN_EXISTING_CLUSTER = ("kubeconfig", "joinToken")
"""Required, unless the cluster is founded here: then both are made here."""
OF_SNAPSHOTS = ("snapshotKeyId", "snapshotApplicationKey")
"""Required once snapshots go to a bucket."""

REQUIRED: Mapping[str, Key] = {
    **{key: secret for key, secret in SECRETS.items() if not secret.optional or key in OF_AN_EXISTING_CLUSTER},
    "adminEmail": Key(
        what="first administrator's address", command=f"pulumi config set {PROJECT}:adminEmail", secret=False
    ),
    "emailUser": Key(
        what="Fastmail account that sends", command=f"pulumi config set {PROJECT}:emailUser", secret=False
    ),
    "registryUsername": Key(
        what="user that pulls images", command=f"pulumi config set {PROJECT}:registryUsername", secret=False
    ),
    "sshKeys": Key(
        what="operators' public keys",
        command=f"pulumi config set --path '{PROJECT}:sshKeys.NAME' 'ssh-ed25519 …'",
        secret=False,
    ),
}
"""What the repository cannot ship: the operator sets it once, a rehearsal puts placeholders."""

_USER = r"[^:\s]+:(\$2[aby]\$\d\d\$[./\w]{53}|\$apr1\$[./\w]{1,8}\$[./\w]{22})"
SHAPES: Mapping[str, tuple[str, str]] = {
    "joinToken": (
        r"K10[0-9a-f]{64}::server:\S+\n?",
        "a server's full join token, K10…::server:…, which tells the cluster from a stranger's",
    ),
    "adminBasicAuth": (
        rf"{_USER}(\n{_USER})*\n*",
        "lines of USER:HASH with a bcrypt or apr1 hash, as htpasswd -nB USER prints them",
    ),
}
"""What a secret must look like, and how that is said: what is not, nobody would notice before it is needed."""


def required(*, founded_here: bool, snapshots: bool) -> Mapping[str, Key]:
    """What the operator must have set."""
    needed = {key: what for key, what in REQUIRED.items() if not founded_here or key not in OF_AN_EXISTING_CLUSTER}
    return needed | {key: SECRETS[key] for key in OF_SNAPSHOTS if snapshots}


def load_settings() -> tuple[Settings, Secrets]:
    """Reads and checks the stack's configuration; a SettingsError names every mistake at once."""
    config = pulumi.Config(PROJECT)
    # Pulumi.yaml gives "" or {} to what only the operator can set.
    held = {
        key.removeprefix(f"{PROJECT}:")
        for key, value in CONFIG.get().items()
        if key.startswith(f"{PROJECT}:") and value not in EMPTY
    }
    shapes = {to_camel(name): shape for name, shape in Settings.model_fields.items()}

    cluster = config.get_object("cluster") if "cluster" in held else None
    founded_here = isinstance(cluster, Mapping) and bool(cluster.get("founder"))
    needed = required(founded_here=founded_here, snapshots="snapshots" in held)

    mistakes = [
        f"{PROJECT}:{key} is missing ({what.what}): {what.command}" for key, what in needed.items() if key not in held
    ]
    mistakes += [
        f"{PROJECT}:{key} is of another cluster than the one that {PROJECT}:cluster.founder founds: pulumi config rm {PROJECT}:{key}"
        for key in OF_AN_EXISTING_CLUSTER
        if founded_here and key in held
    ]
    mistakes += [
        f"{PROJECT}:{key} stands in the stack's file in plain text; encrypt it, and change it where it is used: {SECRETS[key].command}"
        for key in sorted(SECRETS.keys() & held)
        if not is_config_secret(f"{PROJECT}:{key}")
    ]
    mistakes += [
        f"{PROJECT}:{key} holds something else than {expected}"
        for key, (pattern, expected) in SHAPES.items()
        if key in held and re.fullmatch(pattern, CONFIG.get()[f"{PROJECT}:{key}"]) is None
    ]
    mistakes += _unknown(held, known=[*shapes, *SECRETS])
    values: dict[str, object] = {}
    for key in sorted(shapes.keys() & held):
        try:
            values[key] = config.get_object(key) if shapes[key].annotation is not str else config.get(key)
        except pulumi.ConfigTypeError:
            # Not YAML's map or list but a lone value: the model says what was expected.
            values[key] = config.get(key)
    try:
        settings = Settings.model_validate(values, context=values)
    except ValidationError as error:
        mistakes += [
            _readable(details)
            for details in error.errors()
            if details["loc"][0] not in REQUIRED or details["loc"][0] in held
        ]
    if mistakes:
        raise SettingsError(
            f"{len(mistakes)} to mend in the settings of stack {pulumi.get_stack()}; nothing was contacted.\n  "
            + "\n  ".join(mistakes)
        )
    return settings, Secrets(
        **{
            declared.name: config.require_secret(key)
            for declared in fields(Secrets)
            if (key := to_camel(declared.name)) in held
        }
    )


def _readable(details: ErrorDetails) -> str:
    """One line of a pydantic error: the key, what it holds, what it should."""
    key = f"{PROJECT}:{'.'.join(str(part) for part in details['loc'] if part != '[key]')}"
    match details["type"]:
        case "missing":
            return f"{key} is missing; Pulumi.yaml describes it"
        case "extra_forbidden":
            return f"{key} is no setting: mend its name, or remove it"
        case _:
            # Of a map not all is shown: somebody may have put a password into it.
            holds = f" holds {details['input']!r}" if isinstance(details["input"], str | int | float) else ""
            return f"{key}{holds}: {details['msg'].removeprefix('Value error, ')}"


def _unknown(held: set[str], *, known: Iterable[str]) -> Iterator[str]:
    for key in sorted(held.difference(known)):
        near = difflib.get_close_matches(key, known, n=1)
        yield f"{PROJECT}:{key} is no setting: " + (f"did you mean {near[0]}?" if near else "remove it")
