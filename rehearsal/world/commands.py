"""Runs pulumi, kubectl and production's own commands in a world."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ops import stackfile
from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.engine import pulumi
from rehearsal.engine.environment import STACK, environment
from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout
from rehearsal.world.bootstrapped_cluster import BootstrappedCluster


class WorldCommands:
    """The commands of a running world. `project` is the folder of the Pulumi program."""

    def __init__(self, layout: Layout, project: Path) -> None:
        self.layout = layout
        self.project = project

    @property
    def settings_file(self) -> Path:
        """Production's settings file, which the world copies."""
        return self.project / f"Pulumi.{STACK}.yaml"

    def pulumi(
        self, *arguments: str, check: bool = True, env: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a pulumi command. `check` raises a RehearsalError with the output of a failure. `env` adds variables."""
        completed = pulumi.run(self.layout, arguments, project=self.project, variables=env, timeout=timeout)
        return _checked(f"pulumi {' '.join(arguments)}", completed) if check else completed

    def start_pulumi(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts a pulumi command and returns at once, so that the caller can interrupt or kill it."""
        return pulumi.start(self.layout, arguments, project=self.project)

    def ops_command(self, *arguments: str) -> tuple[Sequence[str], Mapping[str, str]]:
        """The command `python -m ops …` and its environment."""
        return [sys.executable, "-m", "ops", *arguments], environment(self.layout)

    def adopt(self, *, check: bool = True, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Runs `python -m ops adopt` without confirmation. `check` and `env` are those of `pulumi`."""
        command, variables = self.ops_command("adopt", "--stack", STACK, "--yes")
        completed = subprocess.run(
            command, cwd=self.project, env={**variables, **(env or {})}, capture_output=True, text=True, check=False
        )
        return _checked("ops adopt", completed) if check else completed

    def outputs(self) -> Mapping[str, Any]:
        """The outputs of the stack. Secret outputs are masked."""
        return dict(json.loads(self.pulumi("stack", "output", "--json").stdout))

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs kubectl and returns its output."""
        return self.kubectl_client().run(*arguments, stdin=stdin)

    def kubectl_json(self, *arguments: str) -> dict[str, Any]:
        """Runs kubectl and returns its JSON output."""
        return self.kubectl_client().run_json(*arguments)

    def kubectl_client(self) -> Kubectl:
        """kubectl with the operator's kubeconfig. That of a bootstrapped cluster is an output of the stack."""
        if self._is_bootstrapped():
            BootstrappedCluster(self.layout).write_kubeconfig()
        return Kubectl(self.layout.kubeconfig)

    def set_config(self, path: str, value: object) -> None:
        """Changes a value of the copied settings by its path, for example `honeydue:images.api`. None removes it."""
        stackfile.set_value(self.layout.config, path, value)

    def real_plugins(self) -> Mapping[str, str]:
        """The files of the real provider plugins, by provider. The others are simulated."""
        return record.real_plugins if (record := self.layout.read_record()) else {}

    def _is_bootstrapped(self) -> bool:
        return bool((record := self.layout.read_record()) and record.bootstrapped)


def _checked(command: str, completed: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    if completed.returncode != 0:
        raise RehearsalError(
            f"{command} failed with exit code {completed.returncode}:\n{completed.stdout}{completed.stderr}"
        )
    return completed
