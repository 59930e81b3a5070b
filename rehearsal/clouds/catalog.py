"""The simulated providers. A process only imports the one that it runs: four processes start for every preview."""

# ruff: noqa: PLC0415 - imports at the top would load all providers in each process
from __future__ import annotations

from pathlib import Path
from typing import Final

from .account import clouds_folder
from .lifecycle import Provider
from .schema import Package

NAMES: Final = ("hcloud", "cloudflare", "tls", "random")


def provider(name: str, *, folder: Path | None = None) -> Provider:
    """Creates a simulated provider with its state in `folder`. The default is the world in the environment."""
    if name == "hcloud":
        from . import hetzner

        return Provider(Package(name), hetzner.KINDS, hetzner.FUNCTIONS, folder or clouds_folder())
    if name == "cloudflare":
        from . import cloudflare

        return Provider(Package(name), cloudflare.KINDS, cloudflare.FUNCTIONS, folder or clouds_folder())
    if name == "tls":
        from . import certificates

        return Provider(Package(name), certificates.KINDS, {}, None)
    if name == "random":
        from . import passwords

        return Provider(Package(name), passwords.KINDS, {}, None)
    raise LookupError(f"no simulated provider is named {name!r}; the providers are {', '.join(NAMES)}")
