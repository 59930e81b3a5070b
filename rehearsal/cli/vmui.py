"""The command `vmui`, which shows the dashboards of a world in a browser."""

import click

from rehearsal.cli.commands import console, running
from rehearsal.engine.configuration import read_stack_settings
from rehearsal.errors import RehearsalError
from rehearsal.external import vmui_proxy
from rehearsal.real_nodes.cluster_config import metrics_database
from rehearsal.world.world import World


@click.command()
@click.pass_obj
def vmui(world: World) -> None:
    """Serve the dashboards of the world's metrics to a browser on this machine, until Ctrl-C."""
    database = None
    if world.has_real_nodes() and world.settings_file.exists():
        database = metrics_database(world.layout, read_stack_settings(world.settings_file))
    if database is None:
        raise RehearsalError("only a world with real nodes (NODES=real) and honeydue:monitoring has metrics")
    # In the network of the browser, before this thread enters that of the world.
    listener = vmui_proxy.listen()
    running(world)
    console.print(f"{vmui_proxy.url(listener)} (until Ctrl-C)", highlight=False)
    vmui_proxy.server(vmui_proxy.application(database), listener).serve_forever()
