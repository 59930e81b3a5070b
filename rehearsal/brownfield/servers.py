"""The servers that were ordered in the Hetzner Console, with their automatic primary IPs, and an SSH key.

They have no firewall, because UFW on the nodes filtered the traffic, no placement group, no labels, no protection and
no backups.
"""

from collections.abc import Iterable
from dataclasses import replace

from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType

from ops.stackfile import load
from rehearsal.clouds import console
from rehearsal.clouds.account import read_account, write_account
from rehearsal.control_plane.nodes import Node
from rehearsal.layout import Layout

IMAGE = "ubuntu-24.04"
"""The deployment book names Ubuntu without a release. This is the default of the settings."""


def order(layout: Layout, nodes: Iterable[Node]) -> None:
    """Creates the servers in the order of their hostnames, which the console numbered."""
    nodes = sorted(nodes, key=lambda node: node.hostname)
    account = read_account(layout.clouds)
    # The addresses that the simulated cloud allocates to automatic primary IPs, by the name of the server. A primary IP
    # that the program creates under another name gets another address.
    write_account(layout.clouds, replace(account, addresses={node.hostname: node.ipv4 for node in nodes if node.ipv4}))
    client = console.hetzner(layout.clouds)
    keys = [
        client.ssh_keys.create(name=f"{name}@workstation", public_key=public_key)
        for name, public_key in load(layout.config)["config"]["honeydue:sshKeys"].items()
    ]
    for node in nodes:
        created = client.servers.create(
            name=node.hostname,
            server_type=ServerType(name=node.server_type),
            image=Image(name=IMAGE),
            location=Location(name=node.location),
            ssh_keys=list(keys),
        )
        created.action.wait_until_finished()
