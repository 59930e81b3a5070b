"""The random provider. It only implements RandomPassword, and its values exist only in the stack's state.

It follows terraform-provider-random 3 (github.com/hashicorp/terraform-provider-random, docs/resources/password.md).
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator, Mapping
from typing import Final

from .client import ApiError, Client
from .kinds import EVERYTHING, Created, Kind
from .values import UNKNOWN, Props

_SPECIAL: Final = "!@#$%&*()-_=+[]{}<>:?"

_CLASSES: Final = {
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "numeric": string.digits,
    "special": _SPECIAL,
}


def _alphabets(props: Props) -> dict[str, str]:
    special = props.get("overrideSpecial") or _SPECIAL
    enabled = {**props, "numeric": props.get("numeric", True) and props.get("number", True)}
    return {
        name: special if name == "special" else letters for name, letters in _CLASSES.items() if enabled.get(name, True)
    }


def _minimum(props: Props, name: str) -> int:
    return int(props.get(f"min{name.capitalize()}") or 0)


def _check(props: Props) -> Iterator[str]:
    numbers = [props.get("length"), *(props.get(f"min{name.capitalize()}") for name in _CLASSES)]
    if UNKNOWN in numbers:
        return
    minimum = sum(_minimum(props, name) for name in _CLASSES)
    if int(props["length"]) < max(1, minimum):
        yield (
            "Invalid Attribute Value. Attribute length value must be at least sum of min_* "
            f"({minimum}) and 1, got: {props['length']}"
        )


def _generate(props: Props) -> str:
    alphabets = _alphabets(props)
    if not alphabets:
        raise ApiError("the character set specified is empty")
    characters = [secrets.choice(letters) for name, letters in alphabets.items() for _ in range(_minimum(props, name))]
    alphabet = "".join(alphabets.values())
    characters += [secrets.choice(alphabet) for _ in range(int(props["length"]) - len(characters))]
    secrets.SystemRandom().shuffle(characters)
    return "".join(characters)


def _create(_: Client, props: Props) -> Created:
    import bcrypt  # noqa: PLC0415 - previews do not need it

    password = _generate(props)
    # bcrypt uses at most 72 bytes. The real provider truncates there, too.
    hashed = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(rounds=10)).decode()
    # Ids are not secret. The id of a password is therefore constant, as in the real provider.
    return Created("none", {"result": password, "bcryptHash": hashed})


_PASSWORD: Final = Kind(
    type="random:index/randomPassword:RandomPassword",
    dialect="framework",
    create=_create,
    replaces=EVERYTHING,
    recomputed=EVERYTHING,
    defaults={
        **dict.fromkeys(("lower", "upper", "numeric", "number", "special"), True),
        **dict.fromkeys(("minLower", "minUpper", "minNumeric", "minSpecial"), 0),
    },
    secrets=frozenset({"result", "bcryptHash"}),
    check=_check,
)

KINDS: Final[Mapping[str, Kind]] = {_PASSWORD.type: _PASSWORD}
