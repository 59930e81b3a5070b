"""What real nodes are made from, of production's settings."""

from collections.abc import Sequence
from pathlib import Path

from rehearsal.engine.configuration import Stack
from rehearsal.engine.placeholders import placeholder
from rehearsal.external.database import Outside
from rehearsal.images import catalogue
from rehearsal.images.catalogue import Schema
from rehearsal.layout import Layout
from rehearsal.real_nodes import addons, chart, network
from rehearsal.real_nodes.cluster import Plan
from tools import debian


def plan(layout: Layout, stack: Stack, images: Sequence[Path]) -> Plan:
    """Nodes that hold every image which the settings name, those of the nodes' own pods, and the archives given."""
    needed = [
        *catalogue.release(stack.images, Schema.FIRST),
        catalogue.redis(stack.images.redis),
        catalogue.traefik(chart.IMAGE),
    ]
    own = addons.images(debian.root("node"))
    return Plan(
        network=stack.network,
        dns=stack.dns,
        nodes=[*stack.nodes.values()],
        disks=stack.disks,
        outside=database(layout, stack),
        images=[*catalogue.archives([*needed, *own]).values(), *images],
    )


def database(layout: Layout, stack: Stack) -> Outside:
    """What stands for Neon."""
    password = str(placeholder("postgresPassword", layout.pki))
    return Outside(
        layout=layout, database=stack.database, password=password, pooler=network.POOLER, direct=network.DIRECT
    )
