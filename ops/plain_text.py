"""Where a secret stands open in a resource: by the names under which secrets are kept, and by the shapes they have."""

import re
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from infra.settings.apps import SECRET_VARIABLES
from ops.plan import State

MASK = "[secret]"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine writes for a value that it does not know yet (UnknownStringValue in its plugin package)."""
KUBERNETES_SECRET = "kubernetes:core/v1:Secret"  # noqa: S105  # a type

_NAMES = re.compile(r"token|apiToken|kubeconfig|bcryptHash|\w*[pP]assword|\w*[pP]rivateKey(?!Id)\w*")
_SHAPES = re.compile(
    r"PRIVATE KEY-----"
    r"|client-key-data:"
    r"|\bK10[0-9a-f]{64}::"  # k3s' join token (https://docs.k3s.io/cli/token)
    r"|\$2[aby]\$\d\d\$"  # bcrypt
)
_SECRET_VARIABLE = re.compile(r"[A-Z0-9_]*(PASSWORD|PASSWD|SECRET|TOKEN|KEY|CREDENTIAL)[A-Z0-9_]*")
_SECRET_DATA = re.compile(r"(__inputs\.)?(data|stringData)\b|.*last-applied-configuration")


def plain_text(state: State) -> Iterator[str]:
    """Paths at which a secret can be read, never the secret itself."""
    for values in (state.inputs, state.outputs):
        for path, value in _strings(values):
            if _is_secret(state.type, path, value):
                yield path


def masked(state: State) -> Mapping[str, JsonValue]:
    """Its inputs without any of that, nor what somebody may have put under a variable's name that sounds like a secret."""

    def walk(value: JsonValue, path: str) -> JsonValue:
        if isinstance(value, dict):
            named = {"value": value["name"]} if isinstance(value.get("name"), str) else {}
            return {key: walk(one, f"{path}.{named.get(key, key)}") for key, one in value.items()}
        if isinstance(value, list):
            return [walk(one, f"{path}[{index}]") for index, one in enumerate(value)]
        name = path.rpartition(".")[2]
        hide = isinstance(value, str) and (_is_secret(state.type, path, value) or _SECRET_VARIABLE.fullmatch(name))
        return MASK if hide else value

    return {key: walk(one, key) for key, one in state.inputs.items()}


def _is_secret(type_: str, path: str, value: str) -> bool:
    name = path.rpartition(".")[2]
    return bool(
        _NAMES.fullmatch(name)
        or name in SECRET_VARIABLES
        or _SHAPES.search(value)
        or (type_ == KUBERNETES_SECRET and _SECRET_DATA.match(path))
    )


def _strings(value: JsonValue | Mapping[str, JsonValue], path: str = "") -> Iterator[tuple[str, str]]:
    """Every string that is neither masked nor empty, by its path; a variable of a container stands under its name."""
    if isinstance(value, Mapping):
        named = value.get("name")
        if isinstance(named, str) and isinstance(value.get("value"), str):
            value = {**value, named: value["value"]}
        for key, one in value.items():
            yield from _strings(one, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _strings(one, f"{path}[{index}]")
    elif isinstance(value, str) and value not in ("", MASK, UNKNOWN):
        yield path, value
