"""What went wrong, for the person at the keyboard."""

from ops.errors import OpsError


class RehearsalError(OpsError):
    """One readable line: what failed, and what to do about it."""
