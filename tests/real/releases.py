"""Releases of honeyDue for real nodes: their images on every node, as the registry would give them, and then `make release`."""

import subprocess

from infra.settings.schema import Images
from ops import stackfile
from rehearsal.images import catalogue
from rehearsal.images.catalogue import Schema
from rehearsal.real_nodes.machine import Machine
from rehearsal.world.world import World
from tests.rehearsal.operator import ops


def push(world: World, tag: str, schema: Schema) -> None:
    """Gives every node the images of a release that carries so many migrations."""
    config = stackfile.load(world.layout.config)["config"]["honeydue:images"]
    images = Images.model_validate({**config, "api": tag, "worker": tag, "admin": tag, "web": tag})
    for archive in catalogue.archives(catalogue.release(images, schema)).values():
        for node in world.kubectl_json("get", "nodes")["items"]:
            machine = Machine(layout=world.layout, hostname=node["metadata"]["name"])
            machine.import_images(archive)


def release(world: World, tag: str, schema: Schema) -> subprocess.CompletedProcess[str]:
    """As an operator releases all four."""
    push(world, tag, schema)
    return ops(world, "release", "--stack", "prod", "--api", tag, "--admin", tag, "--web", tag, "--yes")
