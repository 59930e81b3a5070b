"""The providers there are. Each is imported when it is asked for: four processes start for every preview."""

# ruff: noqa: PLC0415 - as said above: an import at the top would cost every process all of them
from __future__ import annotations

from pathlib import Path
from typing import Final

from .account import clouds_folder
from .lifecycle import Provider
from .schema import Package

NAMES: Final = ("hcloud", "cloudflare", "tls", "random")


def provider(name: str, *, folder: Path | None = None) -> Provider:
    """The simulated provider of this name, with its state in `folder` (by default, in the world of the environment)."""
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
        from . import randomness

        return Provider(Package(name), randomness.KINDS, {}, None)
    raise LookupError(f"no simulated provider {name!r}; there are {', '.join(NAMES)}")
