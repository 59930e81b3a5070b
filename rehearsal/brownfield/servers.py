"""The servers that were ordered in the Hetzner Console, with their automatic primary IPs, and an SSH key.

They have no firewall, because UFW on the nodes filtered the traffic, no placement group, no labels, no protection and
no backups.
"""

from collections.abc import Iterable
from dataclasses import replace

from ops.stackfile import load
from rehearsal.clouds.account import read_account, write_account
from rehearsal.clouds.existing import provision
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
    keys = [
        provision(layout.clouds, "hcloud:index/sshKey:SshKey", {"name": f"{name}@workstation", "publicKey": public_key})
        for name, public_key in load(layout.config)["config"]["honeydue:sshKeys"].items()
    ]
    for node in nodes:
        provision(
            layout.clouds,
            "hcloud:index/server:Server",
            {
                "name": node.hostname,
                "serverType": node.server_type,
                "image": IMAGE,
                "location": node.location,
                "sshKeys": keys,
            },
        )
