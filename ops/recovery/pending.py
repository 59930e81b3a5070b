"""Removes the creations from the state that a killed `up` had started.

The engine stores each operation before it starts, and keeps a started creation in the state until somebody removes it
(`snap` in pulumi/pkg/v3/backend/snapshot.go), whether the resource exists by now or not. Nothing needs the entry:
`find_existing` looks up the resources that a vendor would refuse to create again, and the others are created again.
"""

from ops.engine.cli import output_of
from ops.engine.stack import CREATING, read_checkpoint

STACK = "pulumi:pulumi:Stack"


def clear_pending_creations(stack: str) -> None:
    """Remove the started creations from the state. Raises an OpsError while an update of the stack runs."""
    checkpoint = read_checkpoint(stack)
    if not any(operation.type == CREATING for operation in checkpoint.pending_operations):
        return
    # The only target is the stack itself, for which no provider reads anything.
    targets = [f"--target={state.urn}" for state in checkpoint.resources if state.type == STACK]
    output_of("refresh", stack, ["--yes", "--skip-preview", "--clear-pending-creates", *targets])
