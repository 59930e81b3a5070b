"""Where the simulated clouds of a world listen. Imports nothing of the server, which takes a quarter of a second."""

from __future__ import annotations

from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_PATHS: Final = {"hcloud": "/v1", "cloudflare": "/client/v4"}
_VARIABLES: Final = {"hcloud": "HCLOUD_ENDPOINT", "cloudflare": "CLOUDFLARE_BASE_URL"}
"""Documented by the vendors' clients and by the real providers."""
REGISTRY_VARIABLE: Final = "REGISTRY_ENDPOINT"
"""See docs/images.md."""


def port_file(folder: Path) -> Path:
    """Contains the port of the clouds in this folder while they are served."""
    return folder / "http.port"


def plugins_port_file(folder: Path) -> Path:
    """Contains the port to which the launchers of the provider plugins connect."""
    return folder / "plugins.port"


def write_port(file: Path, port: int) -> None:
    """Writes one of these files as a whole."""
    scratch = file.with_suffix(".new")
    scratch.write_text(str(port), encoding="ascii")
    scratch.replace(file)


def port(folder: Path) -> int | None:
    """The port of the clouds in this folder, or None if they were never served."""
    try:
        return int(port_file(folder).read_text(encoding="ascii"))
    except FileNotFoundError:
        return None


def urls(port: int) -> dict[str, str]:
    """The URL of each vendor's API, by the name of its provider."""
    return {provider: f"http://{LOOPBACK}:{port}{path}" for provider, path in _PATHS.items()}


def environment(folder: Path) -> dict[str, str]:
    """The variables that lead the vendors' clients, the real provider plugins and `ops` to the clouds in this folder.

    None if they were never served.
    """
    served = port(folder)
    if served is None:
        return {}
    vendors = {_VARIABLES[provider]: url for provider, url in urls(served).items()}
    return {**vendors, REGISTRY_VARIABLE: f"http://{LOOPBACK}:{served}"}
