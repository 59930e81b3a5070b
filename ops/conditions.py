"""The conditions in the status of a Kubernetes object. Loads no client."""

from collections.abc import Mapping
from typing import Any


def condition(live: Mapping[str, Any], kind: str) -> Mapping[str, str]:
    """The condition of this type, for example Ready. Empty if the object does not have it."""
    conditions: list[Mapping[str, str]] = (live.get("status") or {}).get("conditions") or []
    return next((entry for entry in conditions if entry["type"] == kind), {})


def is_true(live: Mapping[str, Any], kind: str) -> bool:
    """Whether the object has the condition of this type with the status True."""
    return condition(live, kind).get("status") == "True"
