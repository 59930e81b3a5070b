"""The state of a world's stack, and the state of its clouds."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rehearsal.world.world import World


def state_file(world: World) -> Path:
    """The file with the state of the stack."""
    (file,) = world.layout.backend.rglob("stacks/**/prod.json")
    return file


def state(world: World) -> str:
    """The state of the stack, as the file contains it."""
    return state_file(world).read_text()


def resources(world: World) -> Mapping[str, Mapping[str, Any]]:
    """The resources in the state, by URN."""
    exported = json.loads(world.pulumi("stack", "export").stdout)["deployment"]["resources"]
    return {resource["urn"]: resource for resource in exported}


def urn(world: World, short: str) -> str:
    """The URN of a resource with this short name, for example Server::hetzner3."""
    kind, _, name = short.partition("::")
    (result,) = [urn for urn in resources(world) if urn.endswith(f":{kind}::{name}")]
    return result


def cloud_files(world: World) -> Mapping[str, str]:
    """The contents of the simulated clouds, by file."""
    return {file.name: file.read_text() for file in world.layout.clouds.glob("*.json")}
