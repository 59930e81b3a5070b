"""Updates: applies the program, and lifts the protection of resources whose deletion is confirmed."""

from collections.abc import Sequence

from ops.engine.cli import output_of, run_in_terminal
from ops.engine.preview import refresh_flags, refresh_variables


def apply(stack: str, *, refresh: bool = False, only: str | None = None) -> int:
    """Run `pulumi up` in the operator's terminal, with protection in force, and return its exit code.

    `only` is the URN of the only resource to change.
    """
    target = ["--target", only] if only else []
    return run_in_terminal(
        "up",
        stack,
        ["--yes", "--skip-preview", *refresh_flags(refresh=refresh), *target],
        variables=refresh_variables(refresh=refresh),
    )


def unprotect(stack: str, urns: Sequence[str]) -> None:
    """Lift the protection of resources, only in the state. The next `up` protects again those that still exist."""
    output_of("state unprotect", stack, ["--yes", *urns])
