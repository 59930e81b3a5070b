"""Creates production as it was before the program existed: everything that `make adopt` imports.

`manifests/` follows deploy-k3s/manifests of the deployment book (docs/deployment-book.md), reworded. Where the book
gives no value, the manifests contain the most common one, and a comment states this. The program does not read them.
Only the nodes, the domain and the release follow the stack's settings.
"""

from collections.abc import Callable

from rehearsal.brownfield import cluster, edge, servers
from rehearsal.clouds.app import VENDORS
from rehearsal.clouds.store import Store
from rehearsal.engine.configuration import read_stack_settings
from rehearsal.errors import RehearsalError
from rehearsal.layout import COMMAND
from rehearsal.world.world import World


def build(world: World, *, log: Callable[[str], None] = lambda _: None) -> None:
    """Creates everything in an empty world. Raises RehearsalError when its clouds contain resources already."""
    if any(Store(world.layout.clouds / f"{vendor.name}.json").read().collections for vendor in VENDORS):
        name = world.layout.name
        raise RehearsalError(
            f"world {name} is not empty: its clouds contain resources. Remove it first: {COMMAND} --world {name} down"
        )
    stack = read_stack_settings(world.settings_file)
    # A node without an address in the settings is a new one, which the program creates later.
    nodes = [node for node in stack.nodes.values() if node.ipv4]
    log("ordering servers in the Hetzner Console")
    servers.order(world.layout, nodes)
    log("configuring the zone in the Cloudflare dashboard")
    certificate = edge.configure_zone(world.layout.clouds, stack.domain, nodes)
    log("applying manifests with kubectl")
    cluster.apply(world, certificate)
    log("rolling out the release")
    cluster.release(world)
