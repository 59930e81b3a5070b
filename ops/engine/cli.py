"""Runs the `pulumi` command, captured or in the operator's terminal.

It uses the environment of the caller: production's, or that of a rehearsal's world (`python -m rehearsal env`).
"""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from ops.errors import OpsError

NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


def run(
    subcommand: str,
    stack: str,
    arguments: Sequence[str] = (),
    *,
    variables: Mapping[str, str] = NO_VARIABLES,
    stdin: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a subcommand such as "stack export" and capture its output. `variables` are added to the environment."""
    command = ["pulumi", *subcommand.split(), "--stack", stack, "--non-interactive", *arguments]
    try:
        return subprocess.run(
            command, env={**os.environ, **variables}, input=stdin, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise OpsError("The pulumi command is not on PATH. Run this through make, which finds or builds it") from None


def output_of(subcommand: str, stack: str, arguments: Sequence[str] = (), *, stdin: str = "") -> str:
    """Run a subcommand and return its standard output. Raises an OpsError with its message if it fails."""
    result = run(subcommand, stack, arguments, stdin=stdin)
    if result.returncode != 0:
        raise OpsError(explain(result.stderr or result.stdout, stack))
    return result.stdout


def run_in_terminal(
    subcommand: str, stack: str, arguments: Sequence[str] = (), *, variables: Mapping[str, str] = NO_VARIABLES
) -> int:
    """Print the command, run it in the operator's terminal, and return its exit code."""
    command = ["pulumi", subcommand, "--stack", stack, *arguments]
    print(shlex.join(command), flush=True)
    return run_in_foreground(command, env={**os.environ, **variables})


def run_in_foreground(command: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None) -> int:
    """Run a command that is or calls `pulumi` in the operator's terminal, and return its exit code."""
    process = subprocess.Popen(command, env=env, cwd=cwd)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # Ctrl-C also reaches the engine, which completes its running operations. Killing it would interrupt them.
            continue


def explain(message: str, stack: str) -> str:
    """The engine's error message, or how to fix the error where that is known."""
    if "no stack named" in message:
        return f"stack {stack} does not exist: pulumi stack init {stack}"
    if "PULUMI_ACCESS_TOKEN" in message or "pulumi login" in message:
        return "Pulumi is not logged in to the backend that stores the state: pulumi login"
    if "passphrase" in message:
        return (
            "the passphrase of the stack's secrets is missing or wrong: "
            "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE"
        )
    return message.strip().removeprefix("error: ")
