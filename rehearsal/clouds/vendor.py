"""What the server needs to know about a vendor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from flask import Blueprint, Request

from .account import Token

Answer: TypeAlias = tuple[dict[str, Any], int]
"""The JSON of an answer and its HTTP status."""


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """One vendor's API.

    Attributes:
        name: the name of its state file and of its tokens in the account.
        prefix: of its paths, with the version.
        authenticate: the vendor's error if the request's token is missing, unknown or may not change something.
        unknown_path: the vendor's answer to a path that does not exist.
        broken: the vendor's answer when its server fails.
    """

    name: str
    prefix: str
    blueprint: Blueprint
    authenticate: Callable[[Request, Sequence[Token], bool], Answer | None]
    unknown_path: Callable[[Request, int], Answer]
    broken: Callable[[str], Answer]
