"""What somebody ordered in Hetzner's console: servers, with the addresses that came with them, and a key (book ch01, ch04).

No firewall, as UFW does its work on the nodes; no placement group, no labels, no protection, no backups.
"""

from collections.abc import Iterable
from dataclasses import replace

from ops.stackfile import load
from rehearsal.clouds.account import read_account, write_account
from rehearsal.clouds.existing import provision
from rehearsal.control_plane.nodes import Node
from rehearsal.layout import Layout

IMAGE = "ubuntu-24.04"
"""The book tells Ubuntu; the release is that of the settings' default."""


def order(layout: Layout, nodes: Iterable[Node]) -> None:
    """The servers, in the order of their hostnames: the console numbered them."""
    ordered = sorted(nodes, key=lambda node: node.hostname)
    account = read_account(layout.clouds)
    # The addresses are the servers' own: under another name, a new primary IP gets another address.
    write_account(
        layout.clouds, replace(account, addresses={node.hostname: node.ipv4 for node in ordered if node.ipv4})
    )
    keys = [
        provision(layout.clouds, "hcloud:index/sshKey:SshKey", {"name": f"{name}@workstation", "publicKey": public_key})
        for name, public_key in load(layout.config)["config"]["honeydue:sshKeys"].items()
    ]
    for node in ordered:
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
