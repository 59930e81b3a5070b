"""`python -m rehearsal`: try a change of production on this machine alone."""

import os
import sys
from pathlib import Path

import click
from rich.console import Console, Group
from rich.text import Text

from rehearsal import brownfield, layout
from rehearsal.cli import summary
from rehearsal.cli.run import Rehearsal
from rehearsal.cli.status import observe
from rehearsal.cli.summary import machine_table, task_table, workload_table
from rehearsal.engine import engine
from rehearsal.errors import RehearsalError
from rehearsal.real_nodes.machine import Machine
from rehearsal.world.world import World
from tools.errors import ToolsError
from tools.install import install_missing
from tools.purposes import required_programs

DEFAULT = "prod"
PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []}

console = Console(soft_wrap=True)
errors = Console(stderr=True, soft_wrap=True)


class Cli(click.Group):
    """Turns what went wrong into one line."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (RehearsalError, ToolsError) as error:
            errors.print(Text.assemble(("rehearsal: ", "red"), str(error)))
            sys.exit(1)
        except (KeyboardInterrupt, click.Abort):
            errors.print(Text.assemble(("rehearsal: ", "red"), "interrupted; run it again to go on"))
            sys.exit(130)


@click.group(cls=Cli, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--world", "name", metavar="NAME", help=f"Which world; else the one of this shell (see env), else {DEFAULT}."
)
@click.pass_context
def cli(context: click.Context, name: str | None) -> None:
    """Runs production's own configuration in a world on this machine: real engine, real control plane, simulated clouds."""
    shell = os.environ.get("HONEYDUE_WORLD") if name is None else None
    folder = Path(shell) if shell else layout.world_layout(name or DEFAULT).folder
    context.obj = World(folder, log=lambda words: errors.print(f"  {words}", style="dim"))


def option(world: World) -> str:
    """How to name this world on a command line; nothing for the usual one."""
    return "" if world.layout.name == DEFAULT else f" --world {world.layout.name}"


def how_to_act(world: World) -> str:
    """What to type next."""
    return f"To act in it: {summary.how_to_act(option(world), real=world.has_real_nodes())}"


def running_world(world: World) -> World:
    """The world, when it is up."""
    if not world.is_up():
        raise RehearsalError(f"world {world.layout.name} is not up: {layout.COMMAND}{option(world)} up")
    world.enter_network()
    return world


nodes = click.option(
    "--nodes",
    type=click.Choice(["kwok", "real"]),
    callback=lambda context, _, chosen: context.obj.choose_nodes(real_nodes=chosen == "real") if chosen else None,
    expose_value=False,
    help="Who plays the kubelets: kwok, or real ones that run containers (Linux, root). Else as the world had them; a new one kwok.",
)


@cli.command()
@nodes
@click.option("--fresh", is_flag=True, help="Begin with a new world instead of what an earlier run left.")
@click.pass_obj
def run(world: World, fresh: bool) -> None:
    """Everything: set up, preview, up, a second preview that must be empty, and a summary."""
    Rehearsal(world, console, world_option=option(world)).run(fresh=fresh)


@cli.command()
@nodes
@click.pass_obj
def up(world: World) -> None:
    """Start the world, and prepare the stack in it."""
    install_missing(errors, world.programs_needed())
    with errors.status("starting the world"):
        world.up()
    console.print(f"World {world.layout.name} is up. {how_to_act(world)}", highlight=False)


@cli.command(name="brownfield")
@click.pass_obj
def create_brownfield(world: World) -> None:
    """Start a world with production as it was before the program existed, to practise its adoption."""
    install_missing(errors, required_programs())
    with errors.status("starting the world"):
        world.up()
    brownfield.build(world, say=lambda words: errors.print(f"  {words}", style="dim"))
    console.print(
        f"World {world.layout.name} contains production, and no stack manages it. {how_to_act(world)}",
        highlight=False,
    )


@cli.command()
@click.pass_obj
def adopt(world: World) -> None:
    """Run production's `make adopt` in the world. The command brownfield creates resources to adopt."""
    running_world(world).up()
    with world.ops_command("adopt", "--stack", engine.STACK) as (command, environment):
        sys.exit(engine.run_in_foreground(command, project=world.project, env=environment))


@cli.command(context_settings=PASS_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def ops(world: World, arguments: tuple[str, ...]) -> None:
    """Any of production's own commands, in the world: `ops drift --stack prod` is its `make drift`."""
    running_world(world).up()
    with world.ops_command(*arguments) as (command, environment):
        sys.exit(engine.run_in_foreground(command, project=world.project, env=environment))


@cli.command()
@click.option("--keep", is_flag=True, help="End the processes only: the next up goes on where this world is.")
@click.pass_obj
def down(world: World, keep: bool) -> None:
    """End the world, and remove all of it."""
    there = world.down(keep=keep)
    console.print(f"World {world.layout.name} {'is down' if there else 'was not there'}.", highlight=False)


@cli.command()
@click.pass_obj
def status(world: World) -> None:
    """What runs in the world."""
    running_world(world)
    observed = observe(world)
    programs = ", ".join(f"{name} ({pid})" for name, pid in sorted(world.programs().items()))
    console.print(
        Group(
            f"World {world.layout.name} in {world.layout.folder}",
            f"  programs   {programs}",
            f"  ports      {', '.join(f'{name} {port}' for name, port in world.ports().items())}",
            f"  resources  {observed.resources} in stack {engine.STACK}",
            "",
            machine_table(observed.machines),
            workload_table(observed.workloads),
            task_table(observed.tasks),
        ),
        highlight=False,
    )


@cli.command(context_settings=PASS_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def pulumi(world: World, arguments: tuple[str, ...]) -> None:
    """Any pulumi command, in the world."""
    world = running_world(world)
    world.up()  # takes in settings that were changed since
    sys.exit(engine.run_pulumi_in_foreground(world.layout, arguments, project=world.project))


@cli.command(context_settings=PASS_ON, add_help_option=False, name="kubectl")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def kubectl_(world: World, arguments: tuple[str, ...]) -> None:
    """Any kubectl command, in the world."""
    command = running_world(world).kubectl_client().command(*arguments)
    os.execv(command[0], command)  # noqa: S606  # no shell is wanted: kubectl takes this process' place


@cli.command()
@click.pass_obj
def env(world: World) -> None:
    """Print what makes a plain pulumi and kubectl act in the world: eval "$(python -m rehearsal env)"."""
    running_world(world).up()
    if world.has_real_nodes():
        raise RehearsalError(
            f"real nodes have a network of their own, which a shell must be started in: {layout.COMMAND}{option(world)} shell"
        )
    click.echo(engine.shell_exports(world.layout))


@cli.command()
@click.argument("node", required=False)
@click.pass_obj
def shell(world: World, node: str | None) -> None:
    """A shell in the world, where a plain pulumi and kubectl act in it; on a real NODE, one of that machine."""
    running_world(world).up()
    command = (
        Machine(layout=world.layout, hostname=node).command("bash") if node else [os.environ.get("SHELL", "/bin/sh")]
    )
    os.execvpe(command[0], command, engine.environment(world.layout))  # noqa: S606  # it takes this process' place


@cli.command()
@click.argument("node")
@click.argument("state", type=click.Choice(["on", "off"]))
@click.pass_obj
def power(world: World, node: str, state: str) -> None:
    """Pull the plug of a real NODE, or put it in again: its disk stays."""
    running_world(world).power(node, on=state == "on")
    console.print(f"{node} is {state}.", highlight=False)


if __name__ == "__main__":
    cli(prog_name=layout.COMMAND)
