"""`python -m rehearsal.machines WORLD …`: acts on a machine. The simulated cloud and the machine itself call it."""

import json
import sys
from pathlib import Path

import click

from rehearsal.layout import Layout
from rehearsal.machines.machine import CloudServer, Machine


@click.group()
@click.argument("world", type=click.Path(path_type=Path))
@click.pass_context
def cli(context: click.Context, world: Path) -> None:
    """Acts on a machine of this world."""
    context.obj = Layout(world.absolute())


@cli.command()
@click.argument("name")
@click.pass_obj
def boot(layout: Layout, name: str) -> None:
    """Creates a machine and boots it.

    Standard input is a JSON object with the attributes of the server and its user data. It is not a command line
    argument because `ps` would show the secrets in it.
    """
    server = json.load(sys.stdin)
    user_data = server.pop("user_data")
    Machine(layout, name).boot(CloudServer(**server), user_data)


@cli.command()
@click.argument("name")
@click.pass_obj
def remove(layout: Layout, name: str) -> None:
    """Stops the machine and deletes its disk."""
    Machine(layout, name).remove()


@cli.command()
@click.argument("name")
@click.pass_obj
def power_cycle(layout: Layout, name: str) -> None:
    """Powers the machine off and on again. Its disk stays. Standard input is the server's new attributes as JSON."""
    machine = Machine(layout, name)
    machine.stop()
    machine.write_cloud_server(CloudServer(**json.load(sys.stdin)))
    machine.start()


@cli.command()
@click.argument("name")
@click.pass_obj
def start(layout: Layout, name: str) -> None:
    """Powers the machine on."""
    Machine(layout, name).start()


@cli.command()
@click.argument("name")
@click.pass_obj
def stop(layout: Layout, name: str) -> None:
    """Powers the machine off. Its disk stays."""
    Machine(layout, name).stop()


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def systemctl(layout: Layout, name: str, arguments: tuple[str, ...]) -> None:
    """Replaces `systemctl` on the machine."""
    Machine(layout, name).systemctl(*arguments)


if __name__ == "__main__":
    cli()
