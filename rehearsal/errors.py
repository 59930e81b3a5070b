"""The error type of the rehearsal."""

from ops.errors import OpsError


class RehearsalError(OpsError):
    """An error for the operator: one readable message that states what failed and how to fix it."""
