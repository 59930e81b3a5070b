"""The simulated providers, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from . import cloudflare, hcloud, passwords, tls
from .client import Client
from .provider import Provider
from .schema import Package
from .values import Props

Connect: TypeAlias = Callable[[str, Props], Client]
"""Given the name of a provider and the configuration that the engine passed to it."""

NAMES: Final = ("hcloud", "cloudflare", "tls", "random")


def provider(name: str, connect: Callable[[], Client]) -> Provider:
    """The simulated provider of this name; raises a LookupError for an unknown one."""
    match name:
        case "hcloud":
            return Provider(package=Package(name), kinds=hcloud.KINDS, functions=hcloud.FUNCTIONS, connect=connect)
        case "cloudflare":
            return Provider(
                package=Package(name), kinds=cloudflare.KINDS, functions=cloudflare.FUNCTIONS, connect=connect
            )
        case "tls":
            return Provider(package=Package(name), kinds=tls.KINDS, functions={}, connect=connect)
        case "random":
            return Provider(package=Package(name), kinds=passwords.KINDS, functions={}, connect=connect)
    raise LookupError(f"no simulated provider {name!r}; there are {', '.join(NAMES)}")


def connector(endpoints: dict[str, str]) -> Connect:
    """Connects each provider to its vendor's API at these URLs, with the token that it was configured with."""

    def connect(name: str, configuration: Props) -> Client:
        match name:
            case "hcloud":
                return Client(hcloud.VENDOR, endpoints[name], str(configuration.get("token", "")))
            case "cloudflare":
                return Client(cloudflare.VENDOR, endpoints[name], str(configuration.get("apiToken", "")))
        return Client(None, "", "")

    return connect
