"""The vendors' own clients for the simulated clouds of a running world: manual changes, as in the vendors' consoles.

Importing this module takes a second, because of the clients.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cloudflare
import hcloud

from . import endpoints
from .account import read_account

_TIMEOUT_SECONDS: Final = 30.0


class NotServedError(LookupError):
    """The clouds in this folder are not served: the world is down."""


def hetzner(folder: Path) -> hcloud.Client:
    """Hetzner's client, with a token that may read and write. Raises NotServedError."""
    return hcloud.Client(
        token=_token(folder, "hetzner"),
        api_endpoint=_url(folder, "hcloud"),
        timeout=_TIMEOUT_SECONDS,
        poll_interval=0.05,
    )


def cloudflare_client(folder: Path) -> cloudflare.Cloudflare:
    """Cloudflare's client, with the token of the program. Raises NotServedError."""
    return cloudflare.Cloudflare(
        api_token=_token(folder, "cloudflare"), base_url=_url(folder, "cloudflare"), timeout=_TIMEOUT_SECONDS
    )


def zone_id(folder: Path) -> str:
    """The id of the account's only zone."""
    (id_,) = read_account(folder).zones.values()
    return id_


def _url(folder: Path, provider: str) -> str:
    port = endpoints.port(folder)
    if port is None:
        raise NotServedError(f"the clouds in {folder} are not served: start the world first")
    return endpoints.urls(port)[provider]


def _token(folder: Path, vendor: str) -> str:
    return next(token.value for token in read_account(folder).tokens if token.vendor == vendor)
