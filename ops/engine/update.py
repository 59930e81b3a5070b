"""Updates: applies the program, and lifts the engine's protection of resources whose deletion is confirmed."""

from collections.abc import Collection, Sequence

from infra.names import ALLOW_DELETE
from ops.engine.cli import output_of, run_in_terminal
from ops.engine.history import ONLY
from ops.engine.preview import refresh_flags, refresh_variables, replace_flags
from ops.engine.stack import state_resources


def apply(
    stack: str,
    *,
    refresh: bool = False,
    allow_delete: Collection[str] = (),
    replace: Collection[str] = (),
    only: str | None = None,
    exclude: Collection[str] = (),
    message: str = "",
) -> int:
    """Run `pulumi up` in the operator's terminal, with protection in force, and return its exit code.

    For the resources of `allow_delete`, the program lifts Hetzner's delete protection as well. The resources of
    `replace` are replaced even if nothing about them changes. `only` is the URN of the only resource to change,
    `exclude` are those of the resources that neither change nor are deleted. The history records the `message`, or
    that only one resource changed.
    """
    recorded = f"{ONLY}{only.rpartition('::')[2]}" if only else message
    target = ["--target", only] if only else [argument for urn in exclude for argument in ("--exclude", urn)]
    return run_in_terminal(
        "up",
        stack,
        [
            "--yes",
            "--skip-preview",
            *refresh_flags(refresh=refresh),
            *replace_flags(replace),
            *target,
            *(["--message", recorded] if recorded else []),
        ],
        variables={**refresh_variables(refresh=refresh), ALLOW_DELETE: " ".join(allow_delete)},
    )


def unprotect(stack: str, urns: Sequence[str]) -> None:
    """Lift the engine's protection of resources, which is only in the state."""
    output_of("state unprotect", stack, ["--yes", *urns])


def refresh_resources(stack: str, urns: Sequence[str]) -> None:
    """Remove those of the resources from the state that no longer exist.

    A provider may fail to delete them again. `up --refresh --run-program` refreshes only what the program still has.
    """
    targets = [argument for urn in urns for argument in ("--target", urn)]
    output_of("refresh", stack, ["--yes", "--skip-preview", *targets])


def protect_remaining(stack: str, urns: Sequence[str]) -> None:
    """Protect those of the resources again that are still in the state."""
    remaining = [state.urn for state in state_resources(stack) if state.urn in urns and not state.protect]
    if remaining:
        output_of("state protect", stack, ["--yes", *remaining])
