"""The commands of `python -m rehearsal`."""

import errno
import os
import sys
from pathlib import Path

import click
from rich.console import Console, Group
from rich.text import Text

from ops.engine.cli import run_in_foreground
from ops.errors import OpsError
from rehearsal import brownfield, layout
from rehearsal.cli import summary
from rehearsal.cli.run import Rehearsal
from rehearsal.cli.status import read_status, world_states
from rehearsal.engine import pulumi
from rehearsal.engine.environment import STACK, environment, shell_command, shell_exports
from rehearsal.engine.plugins import Plugins
from rehearsal.errors import RehearsalError
from rehearsal.loopback import exclude_from_proxies
from rehearsal.processes.processes import SHELL_VARIABLE
from rehearsal.real_nodes.machine import Machine
from rehearsal.world.world import World
from tools.errors import ToolsError
from tools.install import install_missing

DEFAULT_WORLD = "prod"
PASS_THROUGH = {"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []}
"""For commands whose arguments, including options, belong to another program."""

console = Console(soft_wrap=True)
errors = Console(stderr=True, soft_wrap=True)


class Cli(click.Group):
    """Prints an expected error as one message instead of a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (OpsError, ToolsError) as error:
            errors.print(Text.assemble(("rehearsal: ", "red"), str(error)))
            sys.exit(1)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            errors.print(Text.assemble(("rehearsal: ", "red"), f"the disk is full: {error.filename or layout.WORLDS}"))
            sys.exit(1)
        except (KeyboardInterrupt, click.Abort):
            errors.print(Text.assemble(("rehearsal: ", "red"), "interrupted. Run the same command again to continue."))
            sys.exit(130)


@click.group(cls=Cli, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--world",
    "name",
    metavar="NAME",
    help=f"The world to act in. Default: the world of this shell (see the command env), otherwise {DEFAULT_WORLD}.",
)
@click.pass_context
def cli(context: click.Context, name: str | None) -> None:
    """Rehearse a change of production on this machine.

    A world contains the real Pulumi engine, a real Kubernetes control plane and simulated clouds.
    """
    exclude_from_proxies(os.environ)
    shell_world = os.environ.get(SHELL_VARIABLE) if name is None else None
    folder = Path(shell_world) if shell_world else layout.world_layout(name or DEFAULT_WORLD).folder
    context.obj = World(folder, log=_log)


def _log(message: str) -> None:
    errors.print(f"  {message}", style="dim")


def _world_option(world: World) -> str:
    """The option that selects this world in a command line. Empty for the default world."""
    return "" if world.layout.name == DEFAULT_WORLD else f" --world {world.layout.name}"


def _enter_command(world: World) -> str:
    return summary.enter_command(_world_option(world), real_nodes=world.has_real_nodes())


def running(world: World) -> World:
    """Returns the world if it is up, and enters its network. Otherwise raises a RehearsalError."""
    if not world.is_up():
        raise RehearsalError(f"world {world.layout.name} is not up: {layout.COMMAND}{_world_option(world)} up")
    world.enter_network()
    return world


def _choose_nodes(context: click.Context, _: click.Parameter, kind: str | None) -> None:
    if kind:
        world: World = context.obj
        world.choose_nodes(real_nodes=kind == "real")


def _choose_plugins(context: click.Context, _parameter: click.Parameter, choice: str) -> None:
    world: World = context.obj
    world.plugins = Plugins(choice)


nodes_option = click.option(
    "--nodes",
    type=click.Choice(["kwok", "real"]),
    callback=_choose_nodes,
    expose_value=False,
    help="kwok: simulated nodes. real: nodes that run containers (Linux, root). Default: those of the world, or kwok.",
)


plugins_option = click.option(
    "--plugins",
    type=click.Choice([choice.value for choice in Plugins]),
    default=Plugins.AUTO.value,
    show_default=True,
    envvar="PLUGINS",
    expose_value=False,
    callback=_choose_plugins,
    help="The provider plugins of Hetzner and Cloudflare. Both kinds send their requests to the simulated clouds."
    " auto: the real plugins that are on PATH or were downloaded.",
)


@cli.command()
@nodes_option
@plugins_option
@click.option("--fresh", is_flag=True, help="Remove the existing world first.")
@click.pass_obj
def run(world: World, fresh: bool) -> None:
    """Preview and apply production, and print a summary.

    Starts the world if necessary. After `up`, a second preview must be empty.
    """
    Rehearsal(world, console, world_option=_world_option(world)).run(fresh=fresh)


@cli.command()
@nodes_option
@plugins_option
@click.pass_obj
def up(world: World) -> None:
    """Start the world and create its stack.

    Does not apply the program.
    """
    install_missing(errors, world.required_programs())
    with errors.status("Starting the world"):
        world.up()
    console.print(f"World {world.layout.name} is up. To use it: {_enter_command(world)}", highlight=False)


@cli.command(name="brownfield")
@click.pass_obj
def brownfield_(world: World) -> None:
    """Create production as it was before this program.

    Use such a world to practice the adoption.
    """
    install_missing(errors, world.required_programs())
    with errors.status("Starting the world"):
        world.up()
    brownfield.build(world, log=_log)
    console.print(
        f"World {world.layout.name} contains production, and the stack is empty. To use it: {_enter_command(world)}",
        highlight=False,
    )


@cli.command()
@click.pass_obj
def adopt(world: World) -> None:
    """Run production's `make adopt` in the world.

    The command brownfield creates resources to adopt.
    """
    running(world).up()
    command, variables = world.ops_command("adopt", "--stack", STACK)
    sys.exit(run_in_foreground(command, cwd=world.project, env=variables))


@cli.command(context_settings=PASS_THROUGH, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def ops(world: World, arguments: tuple[str, ...]) -> None:
    """Run one of production's commands in the world.

    Example: `ops drift --stack prod` is `make drift`.
    """
    running(world).up()
    command, variables = world.ops_command(*arguments)
    sys.exit(run_in_foreground(command, cwd=world.project, env=variables))


@cli.command()
@click.option("--keep", is_flag=True, help="Keep the files. The next `up` continues with them.")
@click.option("--all", "every", is_flag=True, help="Every world of this checkout.")
@click.pass_obj
def down(world: World, keep: bool, every: bool) -> None:
    """End the world and remove its files."""
    for ended in [World(existing.folder) for existing in layout.worlds()] if every else [world]:
        existed = ended.down(keep=keep)
        console.print(f"World {ended.layout.name} {'is down' if existed else 'does not exist'}.", highlight=False)


@cli.command()
@click.pass_obj
def status(world: World) -> None:
    """List the worlds of this checkout, and show programs, nodes, workloads and Jobs of one."""
    console.print(summary.world_table(world_states()), highlight=False)
    world_status = read_status(running(world))
    programs = ", ".join(f"{name} ({pid})" for name, pid in sorted(world.programs().items()))
    console.print(
        Group(
            f"World {world.layout.name} in {world.layout.folder}",
            f"  programs   {programs}",
            f"  ports      {', '.join(f'{name} {port}' for name, port in world.ports().items())}",
            f"  resources  {world_status.resources} in stack {STACK}",
            "",
            summary.node_table(world_status.nodes),
            summary.workload_table(world_status.workloads),
            summary.job_table(world_status.jobs),
        ),
        highlight=False,
    )


@cli.command(context_settings=PASS_THROUGH, add_help_option=False, name="pulumi")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def pulumi_(world: World, arguments: tuple[str, ...]) -> None:
    """Run a pulumi command in the world."""
    # `up` applies settings that were changed since.
    running(world).up()
    sys.exit(pulumi.run_in_terminal(world.layout, arguments, project=world.project))


@cli.command(context_settings=PASS_THROUGH, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def kubectl(world: World, arguments: tuple[str, ...]) -> None:
    """Run a kubectl command in the world."""
    command = running(world).kubectl_client().command(*arguments)
    os.execv(command[0], command)  # noqa: S606  # without a shell: kubectl replaces this process


@cli.command()
@click.pass_obj
def env(world: World) -> None:
    """Print shell variables for pulumi and kubectl.

    In the shell that runs eval "$(.venv/bin/python -m rehearsal env)", both act in the world.
    """
    # Also after an error: otherwise eval would succeed, and the next kubectl would act on production.
    click.echo(shell_exports(world.layout))
    try:
        running(world).up()
        if world.has_real_nodes():
            raise RehearsalError(
                "a world with real nodes has its own network, which a running shell cannot enter."
                f" Start a new shell: {layout.COMMAND}{_world_option(world)} shell"
            )
    except OpsError:
        click.echo("false")
        raise


@cli.command()
@click.argument("node", required=False)
@click.pass_obj
def shell(world: World, node: str | None) -> None:
    """Start a shell in the world, or on a real NODE.

    In a shell in the world, pulumi and kubectl act in it.
    """
    running(world).up()
    if node and not world.has_real_nodes():
        raise RehearsalError(
            "the nodes of this world are simulated and have no shell. Only real nodes have one (NODES=real)"
        )
    errors.print(f"Shell of {node or 'world ' + world.layout.name}. Leave it with exit.", style="dim")
    command = Machine(layout=world.layout, hostname=node).command("bash") if node else shell_command(world.layout)
    os.execvpe(command[0], command, environment(world.layout))  # noqa: S606  # the shell replaces this process


@cli.command()
@click.argument("node")
@click.argument("state", type=click.Choice(["on", "off"]))
@click.option("--new-disk", is_flag=True, help="Boot a new machine with the same name and an empty disk.")
@click.pass_obj
def power(world: World, node: str, state: str, new_disk: bool) -> None:
    """Cut the power of a real NODE, or boot it with its disk, or with an empty one (--new-disk)."""
    if new_disk and state == "off":
        raise click.UsageError("--new-disk boots the node: use it with on")
    running(world).power(node, on=state == "on", new_disk=new_disk)
    console.print(f"{node} is {state}.", highlight=False)
