"""The cluster that the program makes itself: nothing runs until it creates servers, which then boot as simulated machines."""

import sys
from collections.abc import Mapping, Sequence

from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal.control_plane.control_plane import NAMES
from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.engine import engine
from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout
from rehearsal.machines.machine import MACHINE_VARIABLE, Machine
from rehearsal.pki import write_private
from rehearsal.processes import processes

START_SECONDS = 90.0


class BootstrappedCluster:
    """All machines that have a disk in a world."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    @property
    def command(self) -> Sequence[str]:
        """What the simulated cloud tells about its servers."""
        return [sys.executable, "-m", "rehearsal.machines", str(self._layout.folder)]

    def power_on(self) -> None:
        """Starts the machines that were on when the world ended, and returns when each of them answers that did before."""
        for machine in Machine.all(self._layout):
            machine.start()
        for machine in Machine.all(self._layout):
            if machine.kubeconfig.exists():
                _await_api(machine)

    def runs(self) -> bool:
        return all(machine.running() for machine in Machine.all(self._layout))

    def programs(self) -> Mapping[str, int]:
        """What runs on the machines, each with the machine's name before its own."""
        return {
            f"{machine.name}/{process.name()}": process.pid
            for machine in Machine.all(self._layout)
            for process in processes.find(MACHINE_VARIABLE, str(machine.folder))
            if process.name() in NAMES
        }

    def write_kubeconfig(self) -> None:
        """Writes what the stack says its kubeconfig is, where it has changed since; a RehearsalError before the first `up`."""
        written, changed = self._layout.kubeconfig, engine.last_update(self._layout)
        if written.exists() and changed and written.stat().st_mtime > changed:
            return
        told = engine.run(
            self._layout, ["stack", "output", "kubeconfig", "--show-secrets"], project=self._layout.folder
        )
        if told.returncode != 0:
            raise RehearsalError("the program has not founded its cluster yet: pulumi up does")
        write_private(written, told.stdout.encode())


def _await_api(machine: Machine) -> None:
    patiently = Retrying(
        retry=retry_if_exception_type(RehearsalError), stop=stop_after_delay(START_SECONDS), wait=wait_fixed(0.5)
    )
    try:
        patiently(Kubectl(machine.kubeconfig).run, "get", "--raw=/readyz")
    except RetryError as error:
        raise RehearsalError(
            f"{machine.name} does not answer after {START_SECONDS:.0f} s; its logs: {machine.logs}"
        ) from error
