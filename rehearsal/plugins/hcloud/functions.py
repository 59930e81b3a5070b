"""Functions of the provider (terraform-provider-hcloud, internal/server/data_source.go)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlencode

from ..client import Client
from ..values import Props
from .servers import properties

_PER_PAGE: Final = 50


def _servers(client: Client, arguments: Props) -> Props:
    """All servers that a selector and statuses match, page by page."""
    servers: list[Props] = []
    page: int | None = 1
    selector = arguments.get("withSelector") or ""
    while page is not None:
        query = [*([("label_selector", selector)] if selector else []), ("page", page), ("per_page", _PER_PAGE)]
        query += [("status", status) for status in arguments.get("withStatuses") or []]
        answer = client.get(f"servers?{urlencode(query)}")
        servers += [{"id": server["id"], **properties(server, {})} for server in answer["servers"]]
        page = answer["meta"]["pagination"]["next_page"]
    ids = "-".join(str(server["id"]) for server in servers)
    return {"id": hashlib.sha1(ids.encode(), usedforsecurity=False).hexdigest(), "servers": servers}


FUNCTIONS: Final[Mapping[str, Callable[[Client, Props], Props]]] = {"hcloud:index/getServers:getServers": _servers}
