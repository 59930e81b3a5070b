"""Loads and validates the stack's configuration. No other module reads `pulumi.Config`.

All errors are reported at once, one line each, before any provider is contacted.
"""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from infra.settings import limits
from infra.settings.messages import PROJECT, message
from infra.settings.schema import Settings
from infra.settings.secrets import EXISTING_CLUSTER_KEYS, FORMATS, REQUIRED, SECRETS, Secrets, bootstraps, required

UNSET_VALUES = ("", "{}")
"""Values of a key that is not set: the default of Pulumi.yaml, and an empty mapping."""


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
    models = [to_camel(name) for name in Settings.model_fields]
    values = {key: _value(config, key) for key in sorted(keys.intersection(models))}

    errors = [
        *_operator_key_errors(keys, values),
        *_unknown_key_errors(keys, known=[*models, *SECRETS]),
    ]
    try:
        settings = Settings.model_validate(values, context=values)
    except ValidationError as error:
        errors += [
            message(details)
            for details in error.errors()
            if details["loc"][0] not in REQUIRED or details["loc"][0] in keys
        ]
    else:
        errors += limits.violations(settings)
    if errors:
        count = f"{len(errors)} configuration error" + ("s" if len(errors) > 1 else "")
        raise SettingsError(f"{count} in stack {pulumi.get_stack()}. Nothing was contacted.\n  " + "\n  ".join(errors))
    return settings, Secrets(
        **{field.name: config.require_secret(key) for field in fields(Secrets) if (key := to_camel(field.name)) in keys}
    )


def _value(config: pulumi.Config, key: str) -> object:
    """A mapping or a list, or the text of any other value. The SDK only has the text of each key."""
    try:
        value: object = config.get_object(key)
    except pulumi.ConfigTypeError:
        return config.get(key)
    return value if isinstance(value, dict | list) else config.get(key)


def _operator_key_errors(keys: Collection[str], settings: Mapping[str, object]) -> Iterator[str]:
    for key, expected in required(settings).items():
        if key not in keys:
            yield f"{PROJECT}:{key} is missing ({expected.description}): {expected.command}"
    for key in EXISTING_CLUSTER_KEYS:
        if bootstraps(settings) and key in keys:
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
    for key, (is_valid, expected_format) in FORMATS.items():
        if key in keys and not is_valid(CONFIG.get()[f"{PROJECT}:{key}"]):
            yield f"{PROJECT}:{key} has another format than {expected_format}: {SECRETS[key].command}"


def _unknown_key_errors(keys: set[str], *, known: Iterable[str]) -> Iterator[str]:
    for key in sorted(keys.difference(known)):
        similar = difflib.get_close_matches(key, known, n=1)
        yield f"{PROJECT}:{key} is not a setting: " + (f"did you mean {similar[0]}?" if similar else "remove it")
