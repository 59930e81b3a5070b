"""The random provider: values from the system's own randomness, kept nowhere but in the stack's state.

Follows terraform-provider-random 3 (github.com/hashicorp/terraform-provider-random, docs/resources); each input replaces.
"""

from __future__ import annotations

import base64
import random
import secrets
import string
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from .kinds import EVERYTHING, ApiError, Cloud, Kind, Made
from .values import UNKNOWN, Props

_SPECIAL: Final = "!@#$%&*()-_=+[]{}<>:?"

_ADVERBS: Final = ("firmly", "gently", "happily", "mildly", "openly", "plainly", "quietly", "rarely")
_ADJECTIVES: Final = (
    "able",
    "brave",
    "calm",
    "eager",
    "fair",
    "great",
    "handy",
    "lucky",
    "proper",
    "quick",
    "sure",
    "wise",
)
_ANIMALS: Final = (
    "badger",
    "crane",
    "dove",
    "falcon",
    "gecko",
    "heron",
    "ibex",
    "koala",
    "lemur",
    "otter",
    "raven",
    "stork",
)

_CLASSES: Final = {
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "numeric": string.digits,
    "special": _SPECIAL,
}


def _alphabets(props: Props) -> dict[str, str]:
    special = props.get("overrideSpecial") or _SPECIAL
    wanted = {**props, "numeric": props.get("numeric", True) and props.get("number", True)}
    return {
        name: special if name == "special" else letters for name, letters in _CLASSES.items() if wanted.get(name, True)
    }


def _minimum(props: Props, name: str) -> int:
    return int(props.get(f"min{name.capitalize()}") or 0)


def _check_text(props: Props) -> Iterator[str]:
    numbers = [props.get("length"), *(props.get(f"min{name.capitalize()}") for name in _CLASSES)]
    if UNKNOWN in numbers:
        return
    least = sum(_minimum(props, name) for name in _CLASSES)
    if int(props["length"]) < max(1, least):
        yield f"Invalid Attribute Value. Attribute length value must be at least sum of min_* ({least}) and 1, got: {props['length']}"


def _text(props: Props) -> str:
    alphabets = _alphabets(props)
    if not alphabets:
        raise ApiError("the character set specified is empty")
    picked = [secrets.choice(letters) for name, letters in alphabets.items() for _ in range(_minimum(props, name))]
    everything = "".join(alphabets.values())
    picked += [secrets.choice(everything) for _ in range(int(props["length"]) - len(picked))]
    secrets.SystemRandom().shuffle(picked)
    return "".join(picked)


def _string(_: Cloud, props: Props) -> Made:
    made = _text(props)
    return Made(made, {"result": made})


def _password(_: Cloud, props: Props) -> Made:
    import bcrypt  # noqa: PLC0415 - nothing else of the provider needs it

    made = _text(props)
    # bcrypt reads 72 bytes at most; the real provider cuts there too.
    hashed = bcrypt.hashpw(made.encode()[:72], bcrypt.gensalt(rounds=10)).decode()
    # The id of a resource is shown everywhere: a password's is not the password.
    return Made("none", {"result": made, "bcryptHash": hashed})


def _id(_: Cloud, props: Props) -> Made:
    raw = secrets.token_bytes(int(props["byteLength"]))
    prefix = props.get("prefix") or ""
    url = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    forms = {
        "b64Url": url,
        "b64Std": base64.b64encode(raw).decode(),
        "hex": raw.hex(),
        "dec": str(int.from_bytes(raw, "big")),
    }
    return Made(url, {name: f"{prefix}{value}" for name, value in forms.items()})


def _bytes(_: Cloud, props: Props) -> Made:
    raw = secrets.token_bytes(int(props["length"]))
    return Made("none", {"base64": base64.b64encode(raw).decode(), "hex": raw.hex()})


def _generator(props: Props) -> random.Random:
    # A seed asks for the same choice each time; without one, nobody may guess.
    seed = props.get("seed")
    return random.Random(seed) if seed else secrets.SystemRandom()  # noqa: S311 - a seeded choice is no secret


def _integer(_: Cloud, props: Props) -> Made:
    made = _generator(props).randint(int(props["min"]), int(props["max"]))
    return Made(str(made), {"result": made})


def _check_range(props: Props) -> Iterator[str]:
    if UNKNOWN not in (props["min"], props["max"]) and int(props["min"]) > int(props["max"]):
        yield f"The minimum (min) value needs to be smaller than or equal to maximum (max) value: {props['min']} > {props['max']}"


def _pet(_: Cloud, props: Props) -> Made:
    length = int(props["length"])
    words = [secrets.choice(_ADVERBS) for _ in range(length - 2)]
    words += [secrets.choice(_ADJECTIVES)] * (length > 1) + [secrets.choice(_ANIMALS)]
    return Made(str(props["separator"]).join([*filter(None, [props.get("prefix")]), *words]), {})


def _uuid(_: Cloud, _props: Props) -> Made:
    made = str(uuid.uuid4())
    return Made(made, {"result": made})


def _shuffle(_: Cloud, props: Props) -> Made:
    generator = _generator(props)
    wanted = list(props["inputs"])
    count = int(props.get("resultCount") or len(wanted))
    picked: list[str] = []
    while wanted and len(picked) < count:
        # More results than inputs go round again.
        picked += generator.sample(wanted, len(wanted))
    return Made("-", {"results": picked[:count]})


def _check_nothing(_: Props) -> Iterator[str]:
    yield from ()


_TEXT_DEFAULTS: Final[Props] = {
    **dict.fromkeys(("lower", "upper", "numeric", "number", "special"), True),
    **dict.fromkeys(("minLower", "minUpper", "minNumeric", "minSpecial"), 0),
}


def _kind(
    name: str,
    create: Callable[[Cloud, Props], Made],
    *,
    defaults: Props | None = None,
    secret: tuple[str, ...] = (),
    check: Callable[[Props], Iterator[str]] = _check_nothing,
) -> Kind:
    return Kind(
        type=f"random:index/random{name}:Random{name}",
        dialect="framework",
        create=create,
        replaces=EVERYTHING,
        defaults=defaults or {},
        secrets=frozenset(secret),
        check=check,
        remembers=False,
    )


KINDS: Final[Mapping[str, Kind]] = {
    kind.type: kind
    for kind in (
        _kind("Password", _password, defaults=_TEXT_DEFAULTS, secret=("result", "bcryptHash"), check=_check_text),
        _kind("String", _string, defaults=_TEXT_DEFAULTS, check=_check_text),
        _kind("Id", _id),
        _kind("Bytes", _bytes, secret=("base64", "hex")),
        _kind("Integer", _integer, check=_check_range),
        _kind("Pet", _pet, defaults={"length": 2, "separator": "-"}),
        _kind("Uuid", _uuid),
        _kind("Shuffle", _shuffle),
    )
}
