"""`python -m bench`: measures in a world of its own, and prints a table. Nothing is judged: the machine may do other work."""

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console
from rich.table import Table

from bench.measure import Comparison, Cost, compare, cost, run
from bench.script import Script
from rehearsal.engine import engine
from rehearsal.world.world import World

EMPTY = "empty"
FORCE = {"PULUMI_K8S_ENABLE_PATCH_FORCE": "true"}
"""The script's kubectl owns the images after its turn: without it the API server would refuse the program's."""

console = Console(soft_wrap=True, highlight=False)


@click.command()
@click.option(
    "--rounds", default=5, show_default=True, help="How often each is measured, after one that is not counted."
)
def bench(rounds: int) -> None:
    """Preview against an empty program's, release against the deployment book's script."""
    table = Table("what", "measured", "seconds", "against", "seconds", "ratio", box=None, pad_edge=False)
    with (
        TemporaryDirectory(prefix="honeydue-bench-") as folder,
        console.status("starting a world") as status,
        World(Path(folder) / "world") as world,
    ):
        world.pulumi("up", "--yes", "--skip-preview")
        status.update("previewing, in turn with an empty program")
        previews = compare(_preview(world), _empty_preview(world, Path(folder) / EMPTY), rounds=rounds)
        status.update("releasing, in turn with the book's script")
        releases = compare(_release(world), _script(world), rounds=rounds)
    table.add_row("preview without changes", "CPU", *_row(previews, "empty program", lambda one: one.cpu))
    table.add_row("", "wall", *_row(previews, "", lambda one: one.wall))
    table.add_row("release", "wall", *_row(releases, "book's script", lambda one: one.wall))
    console.print(table)


def _row(comparison: Comparison, against: str, of: Callable[[Cost], float]) -> tuple[str, str, str, str]:
    subject, reference = comparison.medians(of)
    return f"{subject:.2f}", against, f"{reference:.2f}", f"{subject / reference:.1f} ×"


def _preview(world: World) -> Callable[[int], Cost]:
    return lambda _: cost(lambda: world.pulumi("preview", "--expect-no-changes"))


def _empty_preview(world: World, folder: Path) -> Callable[[int], Cost]:
    """A program without a resource, in the same backend and with the same Python."""
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(f"name: {EMPTY}\nruntime: python\n")
    (folder / "__main__.py").touch()
    theirs = ("PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE")
    env = {name: value for name, value in engine.environment(world.layout).items() if name not in theirs}
    run(["pulumi", "stack", "init", EMPTY, "--secrets-provider=passphrase"], cwd=str(folder), env=env)
    run(["pulumi", "up", "--yes", "--skip-preview", "--stack", EMPTY], cwd=str(folder), env=env)
    return lambda _: cost(lambda: run(["pulumi", "preview", "--stack", EMPTY], cwd=str(folder), env=env))


def _release(world: World) -> Callable[[int], Cost]:
    env = {**engine.environment(world.layout), **FORCE}

    def release(number: int) -> Cost:
        command = [
            sys.executable,
            "-m",
            "ops",
            "release",
            "--stack",
            engine.STACK,
            "--api",
            f"program-{number}",
            "--yes",
        ]
        return cost(lambda: run(command, cwd=str(world.project), env=env))

    return release


def _script(world: World) -> Callable[[int], Cost]:
    script = Script.read(world)
    return lambda number: cost(lambda: script.release(f"script-{number}"))


if __name__ == "__main__":
    bench(prog_name="python -m bench")
