"""Actions: what a request started, and whether it is completed (https://docs.hetzner.cloud/reference/cloud#actions).

An action that takes time is `running` in the answer to its request. It is completed when a client reads it, or after
`SECONDS`, so that clients poll as they do at Hetzner, and a rehearsal does not wait.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from flask import Blueprint, request

from ..cloud import Cloud, current
from ..store import Object
from ..vendor import Answer
from .errors import RefusedError
from .lists import page

SECONDS: Final = 0.5
# The state keeps this many actions, because every request reads all of it.
_MAX_ACTIONS: Final = 200
# The commands that take time, each with the status of its server meanwhile.
_STATUSES: Final = {
    "create_server": "initializing",
    "start_server": "starting",
    "stop_server": "stopping",
    "shutdown_server": "stopping",
    "reboot_server": "running",
    "change_server_type": "migrating",
    "rebuild_server": "rebuilding",
    "delete_server": "deleting",
    "attach_to_network": "running",
    "detach_from_network": "running",
}


def now() -> str:
    """The current time as the API writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def start(cloud: Cloud, command: str, type_: str, id_: int) -> Object:
    """Starts an action on a resource, such as `create_server` on a `server`."""
    action: Object = {
        "id": cloud.state.next_id(),
        "command": command,
        "status": "running",
        "progress": 0,
        "started": now(),
        "finished": None,
        "resources": [{"id": id_, "type": type_}],
        "error": None,
        "ends": time.time() + SECONDS,
    }
    if command not in _STATUSES:
        _complete(action)
    actions = cloud.of("actions")
    for old in list(actions)[: max(0, len(actions) - _MAX_ACTIONS)]:
        del actions[old]
    actions[str(action["id"])] = action
    return _shown(action)


def status_meanwhile(cloud: Cloud, type_: str, id_: int) -> str | None:
    """The status of a resource on which an action runs; None if none does."""
    running = (
        action["command"]
        for action in of_resource(cloud, type_, id_)
        if action["status"] == "running" and action["ends"] > time.time()
    )
    return next((_STATUSES[command] for command in running), None)


def refuse_while_running(cloud: Cloud, type_: str, id_: int) -> None:
    """A resource is locked while an action runs on it."""
    if status_meanwhile(cloud, type_, id_):
        raise RefusedError("locked", f"{type_} is locked")


def of_resource(cloud: Cloud, type_: str, id_: int) -> list[Object]:
    """All actions of a resource."""
    return [action for action in cloud.of("actions").values() if {"id": id_, "type": type_} in action["resources"]]


def read(actions: Iterable[Object]) -> Answer:
    """A page of these actions."""
    completed = list(actions)
    for action in completed:
        _complete(action)
    return page("actions", completed, _shown, "status")


def register(blueprint: Blueprint) -> None:
    """Adds the paths of actions. All actions of a project cannot be listed (changelog of 2023-06-29)."""

    @blueprint.get("/actions")
    def list_actions() -> Answer:
        ids = request.args.getlist("id")
        if not ids:
            raise RefusedError("deprecated_api_endpoint", "the actions of a project can only be listed by their ids")
        actions = current().of("actions")
        return read(actions[id_] for id_ in ids if id_ in actions)

    @blueprint.get("/actions/<id_>")
    def get_action(id_: str) -> Answer:
        action = current().of("actions").get(id_)
        if action is None:
            raise RefusedError("not_found", f"action with ID '{id_}' not found")
        _complete(action)
        return {"action": _shown(action)}, 200


def _complete(action: Object) -> None:
    if action["status"] == "running":
        action |= {"status": "success", "progress": 100, "finished": now()}


def _shown(action: Object) -> Object:
    return {name: value for name, value in action.items() if name != "ends"}
