"""The functions of the Hetzner provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ..kinds import ApiError, Cloud
from ..values import Props
from . import common


def _servers(cloud: Cloud, arguments: Props) -> Props:
    selector = arguments.get("withSelector") or ""
    statuses = arguments.get("withStatuses") or []
    servers = [
        {**live, "id": int(id_)}
        for id_, live in cloud.of(common.SERVER).items()
        if _matches(live.get("labels") or {}, selector) and (not statuses or live["status"] in statuses)
    ]
    return {"id": "servers", "servers": servers}


def _matches(labels: Mapping[str, str], selector: str) -> bool:
    """Whether the labels match the selector. Only `key=value`, separated by commas, is supported.

    See https://docs.hetzner.cloud/#label-selector for the API's syntax.
    """
    for requirement in filter(None, selector.split(",")):
        key, equals, value = requirement.partition("=")
        if not equals or key.endswith("!") or value.startswith("="):
            raise ApiError(f"the rehearsal does not simulate the label selector {requirement!r}")
        if labels.get(key) != value:
            return False
    return True


FUNCTIONS: Final[Mapping[str, Callable[[Cloud, Props], Props]]] = {"hcloud:index/getServers:getServers": _servers}
