"""Secrets of the settings that a command needs."""

from infra.settings.messages import PROJECT
from infra.settings.secrets import SECRETS
from ops.engine.stack import Settings
from ops.errors import OpsError


def required_secret(settings: Settings, key: str) -> str:
    """The value of a secret. Raises an OpsError with the command that sets it, if it is missing."""
    value = settings.get(key)
    if not isinstance(value, str) or not value:
        raise OpsError(f"{PROJECT}:{key} is missing: {SECRETS[key].command}")
    return value
