"""Errors that a command reports to the operator without a traceback."""


class OpsError(Exception):
    """What failed and how to fix it, in one readable message without secrets."""


class ForbiddenError(OpsError):
    """The Kubernetes account or an API token lacks a permission."""
