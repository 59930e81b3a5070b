"""Releases of honeyDue on real nodes: imports the images into every node, then runs `make release`.

The nodes do not pull: the registry of the world has the manifests, for the digests that `make release` reads, and each
node has the image under its tag and under its digest, as after a pull.
"""

import json
import subprocess

from infra.settings.apps import Images
from ops import stackfile
from ops.release.digests import split
from rehearsal.images import catalog
from rehearsal.images.catalog import Schema
from rehearsal.real_nodes.machine import Machine
from rehearsal.world.world import World
from tests.rehearsal.image_registry import our_repository
from tests.rehearsal.operator import ops


def push(world: World, tag: str, schema: Schema) -> None:
    """Publishes the images of a release; `schema` selects the migrations of the api image."""
    config = stackfile.load(world.layout.config)["config"]["honeydue:images"]
    tags = {"api": tag, "worker": tag, "admin": tag, "web": tag}
    images = Images.model_validate({**config, **tags})
    nodes = world.kubectl_json("get", "nodes")["items"]
    machines = [Machine(layout=world.layout, hostname=node["metadata"]["name"]) for node in nodes]
    for reference, archive in catalog.archives(catalog.release(images, schema)).items():
        for machine in machines:
            machine.import_images(archive)
        _publish(world, reference, machines)


def _publish(world: World, reference: str, machines: list[Machine]) -> None:
    """Pushes the manifest that containerd made of the archive, and names the image by its digest on every node."""
    name, _, tag = reference.rpartition(":")
    repository = our_repository(world, name.rpartition("-")[2])
    (listed,) = _ctr(machines[0], "images", "ls", f"name=={reference}").splitlines()[1:]
    digest = next(word for word in listed.split() if word.startswith("sha256:"))
    manifest = _ctr(machines[0], "content", "get", digest)
    content = json.loads(manifest)
    repository.push_blob(_ctr(machines[0], "content", "get", content["config"]["digest"]).encode())
    assert repository.push_manifest(tag, manifest.encode(), content["mediaType"]) == digest
    for machine in machines:
        _ctr(machine, "images", "tag", "--force", reference, f"{name}@{digest}")


def _ctr(machine: Machine, *arguments: str) -> str:
    return machine.run("ctr", "--namespace=k8s.io", *arguments)


def release(world: World, tag: str, schema: Schema) -> subprocess.CompletedProcess[str]:
    """Releases api, worker, admin and web with the operator's command."""
    push(world, tag, schema)
    return ops(world, "release", "--stack", "prod", "--api", tag, "--admin", tag, "--web", tag, "--yes")


def running_tag(world: World, app: str) -> str:
    """The tag of an app in the settings, which must have a digest."""
    images = stackfile.load(world.layout.config)["config"]["honeydue:images"]
    tag, digest = split(str(images[app]))
    assert digest
    return tag
