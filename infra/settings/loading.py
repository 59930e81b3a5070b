"""Loads and validates the stack's configuration. No other module reads `pulumi.Config`.

All errors are reported at once, one line each, before any provider is contacted.
"""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret
from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from infra.settings.schema import Settings
from infra.settings.secrets import EXISTING_CLUSTER_KEYS, FORMATS, PROJECT, REQUIRED, SECRETS, Secrets, required

UNSET_VALUES = ("", "{}")
"""Pulumi.yaml gives these defaults to the keys that only the operator can set."""
RENAMED_KEYS: Mapping[str, str] = {"cluster.founder": "cluster.initNode"}


class SettingsError(pulumi.RunError):
    """The configuration is invalid. Pulumi prints the message of a RunError without a traceback."""


def load_settings() -> tuple[Settings, Secrets]:
    """Reads and validates the stack's configuration. Raises a SettingsError that lists all errors."""
    config = pulumi.Config(PROJECT)
    keys = {
        key.removeprefix(f"{PROJECT}:")
        for key, value in CONFIG.get().items()
        if key.startswith(f"{PROJECT}:") and value not in UNSET_VALUES
    }
    models = {to_camel(name): field for name, field in Settings.model_fields.items()}
    values: dict[str, object] = {}
    for key in sorted(models.keys() & keys):
        try:
            values[key] = config.get_object(key) if models[key].annotation is not str else config.get(key)
        except pulumi.ConfigTypeError:
            # A scalar where YAML should have a mapping or a list. The model reports what was expected.
            values[key] = config.get(key)

    errors = [
        *_operator_key_errors(keys, bootstrapped=_bootstrapped(values.get("cluster"))),
        *_unknown_key_errors(keys, known=[*models, *SECRETS]),
    ]
    try:
        settings = Settings.model_validate(values, context=values)
    except ValidationError as error:
        errors += [
            _message(details)
            for details in error.errors()
            if details["loc"][0] not in REQUIRED or details["loc"][0] in keys
        ]
    if errors:
        count = f"{len(errors)} configuration error" + ("s" if len(errors) > 1 else "")
        raise SettingsError(f"{count} in stack {pulumi.get_stack()}. Nothing was contacted.\n  " + "\n  ".join(errors))
    return settings, Secrets(
        **{field.name: config.require_secret(key) for field in fields(Secrets) if (key := to_camel(field.name)) in keys}
    )


def _bootstrapped(cluster: object) -> bool:
    # With the former key the only error should be the rename, not a missing kubeconfig as well.
    return isinstance(cluster, Mapping) and any(cluster.get(key) for key in ("initNode", "founder"))


def _operator_key_errors(keys: Collection[str], *, bootstrapped: bool) -> Iterator[str]:
    for key, expected in required(bootstrapped=bootstrapped, snapshots="snapshots" in keys).items():
        if key not in keys:
            yield f"{PROJECT}:{key} is missing ({expected.description}): {expected.command}"
    for key in EXISTING_CLUSTER_KEYS:
        if bootstrapped and key in keys:
            yield (
                f"{PROJECT}:{key} belongs to an existing cluster, but {PROJECT}:cluster.initNode bootstraps a new one: "
                f"pulumi config rm {PROJECT}:{key}"
            )
    for key in sorted(SECRETS.keys() & keys):
        if not is_config_secret(f"{PROJECT}:{key}"):
            yield (
                f"{PROJECT}:{key} is stored in plain text in the stack's file. Change the secret where it is used, and "
                f"encrypt the new one: {SECRETS[key].command}"
            )
    for key, (pattern, expected_format) in FORMATS.items():
        if key in keys and re.fullmatch(pattern, CONFIG.get()[f"{PROJECT}:{key}"]) is None:
            yield f"{PROJECT}:{key} has another format than {expected_format}"


def _unknown_key_errors(keys: set[str], *, known: Iterable[str]) -> Iterator[str]:
    for key in sorted(keys.difference(known)):
        similar = difflib.get_close_matches(key, known, n=1)
        yield f"{PROJECT}:{key} is not a setting: " + (f"did you mean {similar[0]}?" if similar else "remove it")


def _message(details: ErrorDetails) -> str:
    """One line for an error of pydantic: the key, its value, and what was expected."""
    path = ".".join(str(part) for part in details["loc"] if part != "[key]")
    key = f"{PROJECT}:{path}"
    match details["type"]:
        case "missing":
            return f"{key} is missing; Pulumi.yaml describes it"
        case "extra_forbidden" if path in RENAMED_KEYS:
            return f"{key} is now named {PROJECT}:{RENAMED_KEYS[path]}: rename the key in the stack's file"
        case "extra_forbidden":
            return f"{key} is not a setting: correct the name, or remove it"
        case _:
            # A mapping is not printed, because it may contain a password by mistake.
            value = f" holds {details['input']!r}" if isinstance(details["input"], str | int | float) else ""
            return f"{key}{value}: {details['msg'].removeprefix('Value error, ')}"
