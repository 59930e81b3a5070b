"""The errors that end a command with one line."""


class BackupError(Exception):
    """What failed, what was expected, and what to do. Without secrets."""
