"""Functions of the provider (terraform-provider-hcloud, data_source.go in internal/server and placementgroup)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from ..client import Client
from ..values import Props
from .servers import properties

_PER_PAGE: Final = 50


def _servers(client: Client, arguments: Props) -> Props:
    servers = _all(client, "servers", arguments)
    return {"id": _id(servers), "servers": [{"id": server["id"], **properties(server, {})} for server in servers]}


def _placement_groups(client: Client, arguments: Props) -> Props:
    groups = _all(client, "placement_groups", arguments)
    fields = ("id", "name", "labels", "servers", "type")
    return {"id": _id(groups), "placementGroups": [{name: group[name] for name in fields} for group in groups]}


def _all(client: Client, collection: str, arguments: Props) -> Sequence[Props]:
    """All objects that a selector and statuses match, page by page."""
    objects: list[Props] = []
    page: int | None = 1
    selector = arguments.get("withSelector") or ""
    while page is not None:
        query = [*([("label_selector", selector)] if selector else []), ("page", page), ("per_page", _PER_PAGE)]
        query += [("status", status) for status in arguments.get("withStatuses") or []]
        answer = client.get(f"{collection}?{urlencode(query)}")
        objects += answer[collection]
        page = answer["meta"]["pagination"]["next_page"]
    return objects


def _id(objects: Sequence[Props]) -> str:
    ids = "-".join(str(item["id"]) for item in objects)
    return hashlib.sha1(ids.encode(), usedforsecurity=False).hexdigest()


FUNCTIONS: Final[Mapping[str, Callable[[Client, Props], Props]]] = {
    "hcloud:index/getServers:getServers": _servers,
    "hcloud:index/getPlacementGroups:getPlacementGroups": _placement_groups,
}
