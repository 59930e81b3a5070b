"""What the handler of a request to a simulated cloud works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import g

from .account import Account
from .store import Object, State


@dataclass(frozen=True)
class Cloud:
    """The state of one cloud, and the simulated account that owns it.

    Attributes:
        writable: whether the token of the request may change something.
    """

    state: State
    account: Account

    def of(self, collection: str) -> dict[str, Object]:
        """All objects of a collection, by id."""
        return self.state.of(collection)


def current() -> Cloud:
    """The cloud of the request that this thread handles. It is written back if the answer is no error."""
    return cast("Cloud", g.cloud)
