"""Derives the configuration of a world's real nodes from the stack's settings."""

from collections.abc import Sequence
from pathlib import Path

from rehearsal.engine.configuration import StackSettings
from rehearsal.engine.placeholders import placeholder
from rehearsal.external.database import ExternalDatabase
from rehearsal.images import catalog
from rehearsal.images.catalog import Schema
from rehearsal.layout import Layout
from rehearsal.real_nodes import addons, network
from rehearsal.real_nodes.cluster import ClusterConfig
from rehearsal.traefik import daemonset
from tools import debian


def cluster_config(layout: Layout, stack: StackSettings, images: Sequence[Path]) -> ClusterConfig:
    """The nodes of the stack, with every image that the settings name, the images of the add-ons, and `images`."""
    stand_ins = [
        *catalog.release(stack.images, Schema.FIRST),
        catalog.redis(stack.images.redis),
        catalog.traefik(daemonset.IMAGE),
    ]
    addon_images = addons.images(debian.root_filesystem("node"))
    return ClusterConfig(
        network=stack.network,
        dns=stack.cluster_dns,
        nodes=[*stack.nodes.values()],
        volumes=stack.volumes,
        database=external_database(layout, stack),
        images=[*catalog.archives([*stand_ins, *addon_images]).values(), *images],
    )


def external_database(layout: Layout, stack: StackSettings) -> ExternalDatabase:
    """The database that replaces Neon in a world with real nodes."""
    password = str(placeholder("postgresPassword", layout.pki))
    return ExternalDatabase(
        layout=layout, database=stack.database, password=password, pooler=network.POOLER, direct=network.DIRECT
    )
