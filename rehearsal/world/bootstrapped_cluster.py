"""The cluster of a world whose Pulumi program bootstraps it, on servers that it creates (simulated machines)."""

import sys
from collections.abc import Mapping, Sequence
from functools import partial

from rehearsal.control_plane.control_plane import NAMES
from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.engine import pulumi
from rehearsal.engine.stack import last_update
from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout
from rehearsal.machines.machine import MACHINE_VARIABLE, Machine
from rehearsal.pki import write_private
from rehearsal.processes import processes
from rehearsal.processes.readiness import wait_until_ready

START_SECONDS = 90.0


class BootstrappedCluster:
    """The simulated machines of a world."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    @property
    def machine_command(self) -> Sequence[str]:
        """The command that the simulated cloud runs to boot, restart and remove a machine."""
        return [sys.executable, "-m", "rehearsal.machines", str(self._layout.folder)]

    def power_on(self) -> None:
        """Starts all machines. Returns when the API servers of those that had one answer."""
        machines = list(Machine.all(self._layout))
        for machine in machines:
            machine.start()
        for machine in machines:
            if machine.kubeconfig.exists():
                # k3s restarts on the machine until it runs, so no process is watched.
                wait_until_ready(
                    f"the API server of {machine.name}",
                    partial(Kubectl(machine.kubeconfig).run, "get", "--raw=/readyz"),
                    log=machine.logs,
                    timeout=START_SECONDS,
                    retry_on=(RehearsalError,),
                )

    def is_running(self) -> bool:
        return all(machine.running() for machine in Machine.all(self._layout))

    def programs(self) -> Mapping[str, int]:
        """The process ids of the machines' programs, by `<machine>/<program>`."""
        return {
            f"{machine.name}/{process.name()}": process.pid
            for machine in Machine.all(self._layout)
            for process in processes.find(MACHINE_VARIABLE, str(machine.folder))
            if process.name() in NAMES
        }

    def write_kubeconfig(self) -> None:
        """Writes the stack's output `kubeconfig` to a file if the stack has changed since.

        Raises a RehearsalError before the first `pulumi up`.
        """
        file, updated = self._layout.kubeconfig, last_update(self._layout)
        if file.exists() and updated and file.stat().st_mtime > updated:
            return
        arguments = ["stack", "output", "kubeconfig", "--show-secrets"]
        completed = pulumi.run(self._layout, arguments, project=self._layout.folder)
        if completed.returncode != 0:
            raise RehearsalError("the cluster does not exist yet: `pulumi up` bootstraps it")
        write_private(file, completed.stdout.encode())
