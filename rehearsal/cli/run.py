"""The command `run`: preview, up, and a second preview that must be empty."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from rehearsal.cli.status import read_status
from rehearsal.cli.summary import Step, summary
from rehearsal.clouds.log import read_not_simulated
from rehearsal.engine import pulumi
from rehearsal.errors import RehearsalError
from rehearsal.layout import COMMAND
from rehearsal.traefik import daemonset
from rehearsal.traefik.chart import chart_values
from rehearsal.world.world import World
from tools.install import install_missing


class Rehearsal:
    """Runs all steps of a rehearsal and measures their time."""

    def __init__(self, world: World, console: Console, *, world_option: str) -> None:
        self._world = world
        self._console = console
        self._world_option = world_option
        self._steps: list[Step] = []

    def run(self, *, fresh: bool) -> None:
        """Raises a RehearsalError where production's deployment would fail. `fresh` removes an existing world first."""
        with self._step("tools"):
            install_missing(self._console, self._world.required_programs())
        if fresh:
            self._world.down()
        with self._step("control plane and stack"), self._console.status("Starting the world"):
            self._world.up()
        with self._step("preview"):
            self._pulumi("preview")
        with self._step("up"):
            self._pulumi("up", "--yes", "--skip-preview")
        real_nodes = self._world.has_real_nodes()
        if real_nodes:
            with self._step("Traefik on every node"), self._console.status("Starting Traefik on every node"):
                kubectl = self._world.kubectl_client()
                daemonset.install(kubectl, chart_values(kubectl))
        with self._step("second preview"), self._console.status("Running a second preview, which must show no changes"):
            self._expect_no_changes()
        self._console.print(
            summary(
                read_status(self._world),
                steps=self._steps,
                world_option=self._world_option,
                real_nodes=real_nodes,
                real_plugins=self._world.real_plugins().keys(),
                not_simulated=read_not_simulated(self._world.layout.clouds),
            )
        )

    def _pulumi(self, *arguments: str) -> None:
        self._console.rule(f"pulumi {' '.join(arguments)}", align="left")
        exit_code = pulumi.run_in_terminal(self._world.layout, arguments, project=self._world.project)
        if exit_code != 0:
            raise RehearsalError(
                f"pulumi {arguments[0]} failed, as shown above. The world keeps running."
                f" Fix the error and run: {COMMAND}{self._world_option} run"
            )

    def _expect_no_changes(self) -> None:
        preview = self._world.pulumi("preview", "--expect-no-changes", "--diff", check=False)
        if preview.returncode != 0:
            self._console.print(preview.stdout + preview.stderr, markup=False, highlight=False)
            raise RehearsalError(
                "the second preview is not empty: every `pulumi up` would make the changes shown above"
            )

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self._steps.append(Step(name=name, seconds=time.monotonic() - start))
