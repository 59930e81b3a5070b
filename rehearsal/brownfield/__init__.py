"""Production as it was built by hand, before there was a program: what an adoption takes over.

`manifests/` stands for the book's deploy-k3s/manifests, in our own words; what the book does not tell has the commonest form, and
says so. Nothing of it is read by the program, and nothing of it follows a change of the settings but nodes, domain and release.
"""

from collections.abc import Callable

from rehearsal.brownfield import cluster, edge, machines
from rehearsal.clouds import existing
from rehearsal.engine.configuration import read_stack_settings
from rehearsal.errors import RehearsalError
from rehearsal.layout import COMMAND
from rehearsal.world.world import World


def build(world: World, *, say: Callable[[str], None] = lambda _: None) -> None:
    """Builds production in a world in which nothing was applied yet; a RehearsalError in any other."""
    if any(existing.state(world.layout.clouds, cloud).resources for cloud in ("hcloud", "cloudflare")):
        name = world.layout.name
        raise RehearsalError(f"world {name} holds something already; to begin anew: {COMMAND} --world {name} down")
    stack = read_stack_settings(world.settings_file)
    # The settings may wish for more nodes; those that were there have their addresses.
    nodes = [node for node in stack.nodes.values() if node.ipv4]
    say("ordering servers in Hetzner's console")
    machines.order(world.layout, nodes)
    say("setting up Cloudflare in its dashboard")
    certificate = edge.set_up(world.layout.clouds, stack.domain, nodes)
    say("applying manifests with kubectl")
    cluster.apply(world, certificate)
    say("rolling out the release")
    cluster.release(world)
