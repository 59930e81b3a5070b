"""What went wrong, for the person at the keyboard."""


class OpsError(Exception):
    """One readable line: what failed, and what to do about it."""


class NotAllowedError(OpsError):
    """The account that asks may not do this."""
