"""Finds secrets in plain text in a resource, by the names of properties and variables and by the shape of values."""

import re
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from infra.settings.apps import SECRET_VARIABLES
from infra.settings.traces import CREDENTIALS
from ops.engine.sentinels import UNKNOWN
from ops.plan import State

MASK = "[secret]"
"""The engine's own text for a masked secret."""
KUBERNETES_SECRET = "kubernetes:core/v1:Secret"  # noqa: S105  # a resource type

_SECRET_PROPERTY = re.compile(r"token|apiToken|kubeconfig|bcryptHash|\w*[pP]assword|\w*[pP]rivateKey(?!Id)\w*")
_SECRET_VALUE = re.compile(
    r"PRIVATE KEY-----"
    r"|client-key-data:"
    r"|\bK10[0-9a-f]{64}::"  # k3s' join token (https://docs.k3s.io/cli/token)
    r"|\$2[aby]\$\d\d\$"  # bcrypt
)
_SECRET_VARIABLE = re.compile(r"[A-Z0-9_]*(PASSWORD|PASSWD|SECRET|TOKEN|KEY|CREDENTIAL)[A-Z0-9_]*")
_SECRET_DATA = re.compile(r"(__inputs\.)?(data|stringData)\b|.*last-applied-configuration")


def plain_text(state: State) -> Iterator[str]:
    """Paths of the properties that hold a secret in plain text. Never yields the secret itself."""
    for values in (state.inputs, state.outputs):
        for path, value in _strings(values):
            if _is_secret(state.type, path, value):
                yield path


def masked(state: State) -> Mapping[str, JsonValue]:
    """The inputs without secrets in plain text, and without values of variables whose name indicates a secret."""

    def walk(value: JsonValue, path: str) -> JsonValue:
        if isinstance(value, dict):
            variable = {"value": value["name"]} if isinstance(value.get("name"), str) else {}
            return {key: walk(item, f"{path}.{variable.get(key, key)}") for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item, f"{path}[{index}]") for index, item in enumerate(value)]
        name = path.rpartition(".")[2]
        hide = isinstance(value, str) and (_is_secret(state.type, path, value) or _SECRET_VARIABLE.fullmatch(name))
        return MASK if hide else value

    return {key: walk(value, key) for key, value in state.inputs.items()}


def _is_secret(type_: str, path: str, value: str) -> bool:
    name = path.rpartition(".")[2]
    return bool(
        _SECRET_PROPERTY.fullmatch(name)
        or name in SECRET_VARIABLES
        or name in CREDENTIALS
        or _SECRET_VALUE.search(value)
        or (type_ == KUBERNETES_SECRET and _SECRET_DATA.match(path))
    )


def _strings(value: JsonValue | Mapping[str, JsonValue], path: str = "") -> Iterator[tuple[str, str]]:
    """Path and value of every string that is not masked, empty or unknown. Environment variables are keyed by name."""
    if isinstance(value, Mapping):
        name = value.get("name")
        if isinstance(name, str) and isinstance(value.get("value"), str):
            value = {**value, name: value["value"]}
        for key, item in value.items():
            yield from _strings(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, f"{path}[{index}]")
    elif isinstance(value, str) and value not in ("", MASK, UNKNOWN):
        yield path, value
