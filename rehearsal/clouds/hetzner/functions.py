"""The functions of the Hetzner provider that the program may ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ..kinds import ApiError, Cloud
from ..values import Props
from . import rules


def _servers(cloud: Cloud, arguments: Props) -> Props:
    selector = arguments.get("withSelector") or ""
    statuses = arguments.get("withStatuses") or []
    found = [
        {**live, "id": int(id_)}
        for id_, live in cloud.of(rules.SERVER).items()
        if _selected(live.get("labels") or {}, selector) and (not statuses or live["status"] in statuses)
    ]
    return {"id": "servers", "servers": found}


def _selected(labels: Mapping[str, str], selector: str) -> bool:
    """Of the API's label selectors, the plainest: `key=value`, several with commas (https://docs.hetzner.cloud/#label-selector)."""
    for wanted in filter(None, selector.split(",")):
        key, equals, value = wanted.partition("=")
        if not equals or key.endswith("!") or value.startswith("="):
            raise ApiError(f"the rehearsal does not simulate the label selector {wanted!r}")
        if labels.get(key) != value:
            return False
    return True


FUNCTIONS: Final[Mapping[str, Callable[[Cloud, Props], Props]]] = {"hcloud:index/getServers:getServers": _servers}
