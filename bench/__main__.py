"""`python -m bench`: measures in a temporary world and prints a table.

It has no thresholds, because other load on the machine changes the results.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console
from rich.table import Table

from bench.deploy_script import DeployScript
from bench.measure import Comparison, Cost, compare, measure, run
from rehearsal.engine.environment import STACK, environment
from rehearsal.world.world import World

EMPTY_PROGRAM = "empty"
FORCE_CONFLICTS = {"PULUMI_K8S_ENABLE_PATCH_FORCE": "true"}
"""The script makes kubectl the field manager of the images. Without this variable, the next release would fail with a
conflict.
"""

console = Console(soft_wrap=True, highlight=False)


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Measured runs of each command, after one warm-up run.")
def bench(rounds: int) -> None:
    """Compare a preview with that of an empty program, and a release with the deployment book's script."""
    table = Table("command", "metric", "seconds", "baseline", "seconds", "ratio", box=None, pad_edge=False)
    with (
        TemporaryDirectory(prefix="honeydue-bench-") as folder,
        console.status("Starting a world") as status,
        World(Path(folder) / "world") as world,
    ):
        world.pulumi("up", "--yes", "--skip-preview")
        status.update("Measuring previews: of the program and of an empty program in turn")
        previews = compare(_preview(world), _empty_preview(world, Path(folder) / EMPTY_PROGRAM), rounds=rounds)
        status.update("Measuring releases: by the program and by the book's script in turn")
        releases = compare(_release(world), _script_release(world), rounds=rounds)
    table.add_row("preview without changes", "CPU", *_cells(previews, "empty program", lambda cost: cost.cpu))
    table.add_row("", "wall", *_cells(previews, "", lambda cost: cost.wall))
    table.add_row("release", "wall", *_cells(releases, "book's script", lambda cost: cost.wall))
    console.print(table)


def _cells(comparison: Comparison, title: str, metric: Callable[[Cost], float]) -> tuple[str, str, str, str]:
    subject, baseline = comparison.medians(metric)
    return f"{subject:.2f}", title, f"{baseline:.2f}", f"{subject / baseline:.1f} ×"


def _preview(world: World) -> Callable[[int], Cost]:
    return lambda _: measure(lambda: world.pulumi("preview", "--expect-no-changes"))


def _empty_preview(world: World, folder: Path) -> Callable[[int], Cost]:
    """A preview of a program without resources, with the same backend and the same Python."""
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(f"name: {EMPTY_PROGRAM}\nruntime: python\n")
    (folder / "__main__.py").touch()
    # These two variables select the stack and the settings of the real program.
    excluded = ("PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE")
    env = {name: value for name, value in environment(world.layout).items() if name not in excluded}

    def pulumi(*arguments: str) -> str:
        return run(["pulumi", *arguments], cwd=str(folder), env=env)

    pulumi("stack", "init", EMPTY_PROGRAM, "--secrets-provider=passphrase")
    pulumi("up", "--yes", "--skip-preview", "--stack", EMPTY_PROGRAM)
    return lambda _: measure(lambda: pulumi("preview", "--stack", EMPTY_PROGRAM))


def _release(world: World) -> Callable[[int], Cost]:
    """A release with `python -m ops release`."""
    env = {**environment(world.layout), **FORCE_CONFLICTS}
    command = [sys.executable, "-m", "ops", "release", "--stack", STACK, "--yes", "--api"]
    return lambda number: measure(lambda: run([*command, f"program-{number}"], cwd=str(world.project), env=env))


def _script_release(world: World) -> Callable[[int], Cost]:
    script = DeployScript.from_cluster(world)
    return lambda number: measure(lambda: script.release(f"script-{number}"))


if __name__ == "__main__":
    bench(prog_name="python -m bench")
