"""Releases of honeyDue on real nodes: imports the images into every node, then runs `make release`."""

import subprocess

from infra.settings.apps import Images
from ops import stackfile
from rehearsal.images import catalog
from rehearsal.images.catalog import Schema
from rehearsal.real_nodes.machine import Machine
from rehearsal.world.world import World
from tests.rehearsal.operator import ops


def push(world: World, tag: str, schema: Schema) -> None:
    """Imports the images of a release into every node; `schema` selects the migrations of the api image."""
    config = stackfile.load(world.layout.config)["config"]["honeydue:images"]
    images = Images.model_validate({**config, "api": tag, "worker": tag, "admin": tag, "web": tag})
    for archive in catalog.archives(catalog.release(images, schema)).values():
        for node in world.kubectl_json("get", "nodes")["items"]:
            machine = Machine(layout=world.layout, hostname=node["metadata"]["name"])
            machine.import_images(archive)


def release(world: World, tag: str, schema: Schema) -> subprocess.CompletedProcess[str]:
    """Releases api, worker, admin and web with the operator's command."""
    push(world, tag, schema)
    return ops(world, "release", "--stack", "prod", "--api", tag, "--admin", tag, "--web", tag, "--yes")
