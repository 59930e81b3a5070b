"""Where a secret stands open in a resource: by the names under which secrets are kept, and by the shapes they have."""

import re
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from infra.schema import SECRET as SECRET_VARIABLES
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
_SECRET_DATA = re.compile(r"(__inputs\.)?(data|stringData)\b|.*last-applied-configuration")


def plain_text(state: State) -> Iterator[str]:
    """Paths at which a secret can be read, never the secret itself."""
    for values in (state.inputs, state.outputs):
        for path, value in _strings(values):
            name = path.rpartition(".")[2]
            if (
                _NAMES.fullmatch(name)
                or name in SECRET_VARIABLES
                or _SHAPES.search(value)
                or (state.type == KUBERNETES_SECRET and _SECRET_DATA.match(path))
            ):
                yield path


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
