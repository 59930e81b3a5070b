"""Clients of the simulated clouds without a plugin: requests to their HTTP APIs, and their state files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rehearsal.clouds import app, endpoints
from rehearsal.clouds.account import Account, IpRanges, Token, write_account
from rehearsal.clouds.log import FILE as REQUEST_LOG
from rehearsal.clouds.store import Object, State, Store
from rehearsal.world.account import TOKEN_PERMISSIONS
from tests.unit import fake_registry

ZONE_ID = "023e105f4ecef8ad9ca31a8372d0c353"
ZONE = "myhoneydue.com"
HETZNER_TOKEN: Final = "hetzner-token"
CLOUDFLARE_TOKEN: Final = "cloudflare-token"
TOKENS: Final = (
    Token("hetzner", HETZNER_TOKEN, ("read", "write")),
    Token("registry", fake_registry.PASSWORD, ("pull",)),
    Token("cloudflare", CLOUDFLARE_TOKEN, (*TOKEN_PERMISSIONS, "Zone WAF:Edit", "Cache Rules:Edit")),
)
_TOKEN_VALUES: Final = {token.vendor: token.value for token in TOKENS}


@dataclass(frozen=True)
class Response:
    """The response of a simulated cloud."""

    status: int
    json: Any
    headers: dict[str, str]


class Api:
    """Sends requests to the API of a vendor, such as `api("POST", "/ssh_keys", {...})`."""

    def __init__(self, vendor: str, folder: Path, *, token: str | None = None) -> None:
        if not (folder / "account.json").exists():
            account(folder)
        self.app = app.create_app(folder)
        self._prefix = next(simulated.prefix for simulated in app.VENDORS if simulated.name == vendor)
        self._token = _TOKEN_VALUES[vendor] if token is None else token

    def __call__(self, method: str, path: str, body: object = None) -> Response:
        response = self.app.test_client().open(
            f"{self._prefix}{path}",
            method=method,
            json=body,
            headers={"Authorization": f"Bearer {self._token}"},
        )
        return Response(response.status_code, response.get_json(silent=True), dict(response.headers))


def account(folder: Path, *, addresses: dict[str, str] | None = None, ranges: IpRanges | None = None) -> None:
    """Writes an account with one zone and a token with all permissions for each vendor."""
    write_account(
        folder,
        Account(addresses=addresses or {}, zones={ZONE: ZONE_ID}, ip_ranges=ranges or IpRanges(), tokens=TOKENS),
    )


@contextmanager
def served(folder: Path) -> Iterator[Mapping[str, str]]:
    """Serves the clouds in this folder. Yields the environment variables with their URLs."""
    server = app.serve(folder)
    endpoints.write_port(endpoints.port_file(folder), server.port)
    try:
        yield endpoints.environment(folder)
    finally:
        server.shutdown()


def state(folder: Path, vendor: str) -> State:
    """The state of a simulated cloud."""
    return Store(folder / f"{vendor}.json").read()


def edit(folder: Path, vendor: str, collection: str, id_: str, change: Callable[[Object], object]) -> None:
    """Changes an object of a simulated cloud without a request, like a manual change."""
    with Store(folder / f"{vendor}.json").transaction() as current:
        change(current.of(collection)[id_])


def requests(folder: Path) -> list[dict[str, Any]]:
    """The requests that the clouds of this folder received, in the form of `requests.jsonl`."""
    return [json.loads(line) for line in (folder / REQUEST_LOG).read_text().splitlines()]
