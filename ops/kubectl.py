"""kubectl, the operator's own, with the kubeconfig of a stack: for drains, and for commands in a container."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ops.conditions import condition
from ops.errors import OpsError

EXEC_SECONDS = 900.0
"""For a copy of the data of redis over a slow connection."""


class Kubectl:
    """kubectl for one cluster. It respects disruption budgets when it drains a node."""

    def __init__(self, kubeconfig: Path, context: str) -> None:
        self._command = ["kubectl", f"--kubeconfig={kubeconfig}", f"--context={context}"]

    def run(self, *arguments: str) -> bool:
        """Run a command in the operator's terminal. Returns whether it succeeded."""
        print("kubectl", *arguments, flush=True)
        return subprocess.run([*self._command, *arguments], check=False).returncode == 0

    def ready_conditions(self) -> Mapping[str, Mapping[str, str]]:
        """The condition Ready of each node, by name. Empty if the API server does not respond."""
        command = [*self._command, "get", "nodes", "--output=json", "--request-timeout=10s"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        nodes = json.loads(result.stdout)["items"] if result.returncode == 0 else []
        return {node["metadata"]["name"]: condition(node, "Ready") for node in nodes}

    def shell(
        self,
        namespace: str,
        pod: str,
        script: str,
        *,
        stdin: IO[bytes] | None = None,
        stdout: IO[bytes] | None = None,
    ) -> str:
        """Run a shell script in the first container of a pod, and return its output unless `stdout` receives it.

        Raises an OpsError with the last line of the errors if the script fails.
        """
        interactive = ["--stdin"] if stdin else []
        command = [*self._command, "exec", f"--namespace={namespace}", *interactive, pod, "--", "sh", "-euc", script]
        try:
            result = subprocess.run(
                command,
                stdin=stdin or subprocess.DEVNULL,
                stdout=stdout or subprocess.PIPE,
                stderr=subprocess.PIPE,
                check=False,
                timeout=EXEC_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise OpsError(f"a command in pod {pod} did not end within {EXEC_SECONDS / 60:.0f} minutes") from None
        if result.returncode != 0:
            lines = (result.stderr or result.stdout or b"").decode(errors="replace").strip().splitlines()
            raise OpsError(f"a command in pod {pod} failed: {'; '.join(lines[-3:]) or result.returncode}")
        return (result.stdout or b"").decode(errors="replace").strip()


@contextmanager
def kubectl_for(kubeconfig: str, context: str, *, purpose: str = "It drains the node") -> Iterator[Kubectl]:
    """kubectl for the duration of the block. Raises an OpsError if it is not on PATH."""
    if shutil.which("kubectl") is None:
        raise OpsError(f"kubectl is not on PATH. {purpose}. Nothing was changed")
    # Only its owner can read a temporary file, and it is deleted afterwards.
    with tempfile.NamedTemporaryFile("w", prefix="honeydue-", suffix=".yaml") as file:
        file.write(kubeconfig)
        file.flush()
        yield Kubectl(Path(file.name), context)
