"""A whole rehearsal: set up, preview, apply, preview again, tell."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from rehearsal.cli.status import observe
from rehearsal.cli.summary import Step, summary
from rehearsal.engine import engine
from rehearsal.errors import RehearsalError
from rehearsal.layout import COMMAND
from rehearsal.real_nodes import traefik_daemonset
from rehearsal.traefik.chart import chart_values
from rehearsal.world.world import World
from tools.install import install_missing


class Rehearsal:
    """The steps of one run, each timed."""

    def __init__(self, world: World, console: Console, *, world_option: str) -> None:
        self._world = world
        self._console = console
        self._world_option = world_option
        self._steps: list[Step] = []

    def run(self, *, fresh: bool) -> None:
        """Raises a RehearsalError where production's deployment would have failed."""
        with self._step("tools"):
            install_missing(self._console, self._world.programs_needed())
        if fresh:
            self._world.down()
        with self._step("control plane and stack"), self._console.status("starting the world"):
            self._world.up()
        with self._step("preview"):
            self._engine("preview")
        with self._step("up"):
            self._engine("up", "--yes", "--skip-preview")
        if self._world.has_real_nodes():
            with (
                self._step("Traefik on every node"),
                self._console.status("starting Traefik, as k3s' helm-controller would"),
            ):
                traefik_daemonset.install(self._world.kubectl_client(), chart_values(self._world.kubectl_client()))
        with self._step("second preview"), self._console.status("previewing again: nothing may be left to change"):
            self._expect_no_changes()
        observed, real = observe(self._world), self._world.has_real_nodes()
        self._console.print(summary(observed, steps=self._steps, world_option=self._world_option, real=real))

    def _engine(self, *arguments: str) -> None:
        self._console.rule(f"pulumi {' '.join(arguments)}", align="left")
        status = engine.run_pulumi_in_foreground(self._world.layout, arguments, project=self._world.project)
        if status != 0:
            again = f"{COMMAND}{self._world_option} run"
            raise RehearsalError(
                f"pulumi {arguments[0]} failed as shown above; the world still stands. After mending it: {again}"
            )

    def _expect_no_changes(self) -> None:
        done = self._world.pulumi("preview", "--expect-no-changes", "--diff", check=False)
        if done.returncode != 0:
            self._console.print(done.stdout + done.stderr, markup=False, highlight=False)
            raise RehearsalError("a second preview is not empty: what is shown above would change on every up")

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._steps.append(Step(name=name, seconds=time.monotonic() - began))
