"""Reads the resources of a world's simulated clouds."""

from collections.abc import Mapping
from typing import Any

from rehearsal.clouds import existing
from rehearsal.world.world import World

CloudResources = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Properties by type and ID."""


def cloud_resources(world: World) -> CloudResources:
    """All resources of the simulated Hetzner and Cloudflare."""
    return {
        **existing.state(world.layout.clouds, "hcloud").resources,
        **existing.state(world.layout.clouds, "cloudflare").resources,
    }
