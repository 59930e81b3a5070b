"""Kubeconfigs that impersonate a user without permissions."""

from typing import Any

import yaml

PLANNER = "honeydue:planner"
"""A user that no role binding names."""


def without_permissions(kubeconfig: str, context: str) -> str:
    """The same kubeconfig, impersonating a user without permissions in the given context.

    An administrator may impersonate any user. A text that is not a kubeconfig with this context is returned unchanged:
    the provider that reads it reports the error.
    """
    try:
        content: dict[str, Any] = yaml.safe_load(kubeconfig)
        user_name = next(entry["context"]["user"] for entry in content["contexts"] if entry["name"] == context)
        for user in content["users"]:
            if user["name"] == user_name:
                user["user"]["as"] = PLANNER
        return yaml.safe_dump(content)
    except (yaml.YAMLError, KeyError, TypeError, StopIteration):
        return kubeconfig
