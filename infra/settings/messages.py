"""The errors of the settings' models as lines for the operator: key, value, what was expected, what to type."""

import json
import re
from collections.abc import Mapping

from pydantic_core import ErrorDetails

PROJECT = "honeydue"
RENAMED_KEYS: Mapping[str, str] = {"cluster.founder": "cluster.initNode"}
EXAMPLE = "Pulumi.yaml describes it, and tests/example/Pulumi.prod.yaml has an example"

_EXPECTED: Mapping[str, str] = {
    **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), "a whole number was expected"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "a number was expected"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false was expected"),
    **dict.fromkeys(("model_type", "dict_type", "mapping_type"), f"KEY: VALUE pairs were expected; {EXAMPLE}"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list was expected, such as [VALUE, VALUE]"),
    "too_long": "at most {max_length} entries were expected",
    "greater_than_equal": "at least {ge} was expected",
    "less_than_equal": "at most {le} was expected",
    "literal_error": "{expected} was expected",
    "value_error": "{error}",
}
"""By the type of pydantic's error, in the words of the settings file. The names in braces are in its context."""


def message(details: ErrorDetails) -> str:
    """One line for an error of pydantic."""
    path = ".".join(str(part) for part in details["loc"] if part != "[key]")
    key, value = f"{PROJECT}:{path}", details["input"]
    match details["type"]:
        case "missing":
            return f"{key} is missing: {EXAMPLE}"
        case "extra_forbidden" if path in RENAMED_KEYS:
            return f"{key} is now named {PROJECT}:{RENAMED_KEYS[path]}: rename the key in the stack's file"
        case "extra_forbidden":
            return f"{key} is not a setting: correct the name, or remove it"
        case "string_type" if isinstance(value, int | float | None):
            # YAML reads an image tag of digits as a number, without its leading zeros.
            return (
                f"{key}{_shown(value)}, which YAML does not read as text, but text was expected: "
                f"pulumi config set --type string --path '{key}' 'TEXT'"
            )
        case "string_type":
            return f"{key}: text was expected"
        case kind:
            expected = _EXPECTED.get(kind, f"another value was expected; {EXAMPLE}").format_map(details.get("ctx", {}))
            return f"{key}{_shown(value)}: {expected}"


def _shown(value: object) -> str:
    match value:
        case str():
            # A URL may contain a password by mistake.
            return f" holds {re.sub(r'://[^/@]*@', '://…@', value)!r}"
        case int() | float() | None:
            return f" holds {json.dumps(value)}"
        case _:
            # A mapping is not printed, because it may contain a password by mistake.
            return ""
