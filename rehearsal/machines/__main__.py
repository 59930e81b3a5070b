"""`python -m rehearsal.machines WORLD …`: what the simulated cloud, and the programs of a machine, do to it."""

import json
import sys
from pathlib import Path

import click

from rehearsal.layout import Layout
from rehearsal.machines.machine import Machine, Server


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
    """A new machine, as the cloud describes it on stdin: user data must not be read in `ps`."""
    described = json.load(sys.stdin)
    user_data = described.pop("user_data")
    Machine(layout, name).boot(Server(**described), user_data)


@cli.command()
@click.argument("name")
@click.pass_obj
def remove(layout: Layout, name: str) -> None:
    """Its end, and its disk's."""
    Machine(layout, name).remove()


@cli.command()
@click.argument("name")
@click.pass_obj
def cycle(layout: Layout, name: str) -> None:
    """Off and on again, with the disk it had, as the cloud describes it now."""
    machine = Machine(layout, name)
    machine.stop()
    machine.describe(Server(**json.load(sys.stdin)))
    machine.start()


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def systemctl(layout: Layout, name: str, words: tuple[str, ...]) -> None:
    """What was typed on the machine after `systemctl`."""
    Machine(layout, name).systemctl(*words)


if __name__ == "__main__":
    cli()
