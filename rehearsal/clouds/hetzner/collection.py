"""What the collections of a project have in common: paths, names, labels, limits, protection and actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from flask import Blueprint, abort, request

from ..cloud import Cloud, current
from ..store import Object
from ..vendor import Answer
from . import actions
from .errors import RefusedError, invalid_input
from .lists import page, valid_labels

Body: TypeAlias = Mapping[str, Any]
Act: TypeAlias = Callable[[Cloud, Object, Body], None]

# The limits that are the same for every project.
_LIMITS: Final = {"firewalls": 50, "placement_groups": 50}


def _nothing(_cloud: Cloud, _deleted: Object) -> None:
    return


@dataclass(frozen=True, kw_only=True)
class Collection:
    """One collection of the API.

    Attributes:
        name: in its path and in its lists, such as `ssh_keys`.
        singular: the key of an object in a response, and its type in actions.
        title: the name of an object in messages.
        create: returns a new object, and the other fields of the response.
        delete: called before an object is deleted; may refuse.
        actions: by the last part of their paths, with the command of the action.
        shown: returns an object of the state in the form of the API.
        filters: fields by which a list can be filtered, besides name and labels.
        flags: fields that an update may set, besides name and labels.
        several: the response to an action contains a list of actions.
        delete_command: of the action in the response to a deletion. Without it, the response has no content.
    """

    name: str
    singular: str
    title: str
    create: Callable[[Cloud, Body], tuple[Object, Body]]
    delete: Callable[[Cloud, Object], None] = _nothing
    actions: Mapping[str, tuple[str, Act]] = field(default_factory=dict)
    shown: Callable[[Cloud, Object], Object] = lambda _, resource: resource
    filters: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    several: bool = False
    delete_command: str | None = None

    def find(self, cloud: Cloud, value: object, *, by_name: bool = False) -> Object:
        """The object with this id, or by request with this name."""
        objects = cloud.of(self.name)
        selected = objects.get(str(value))
        if selected is None and by_name:
            selected = next((item for item in objects.values() if item["name"] == value), None)
        if selected is None:
            raise RefusedError("not_found", f"{self.title} with ID '{value}' not found")
        return selected

    def add(self, cloud: Cloud, body: Body, **fields: object) -> Object:
        """A new object with the name and the labels of a request."""
        self._refuse_name_in_use(cloud, required(body, "name"))
        objects = cloud.of(self.name)
        limit = cloud.account.limits.get(self.name, _LIMITS.get(self.name))
        if limit is not None and len(objects) >= limit:
            raise RefusedError("resource_limit_exceeded", f"{self.title} limit exceeded")
        labels = valid_labels(body.get("labels") or {})
        added = {
            "id": cloud.state.next_id(),
            "name": body["name"],
            "labels": labels,
            "created": actions.now(),
            **fields,
        }
        objects[str(added["id"])] = added
        return added

    def register(self, blueprint: Blueprint) -> None:
        """Adds the paths of this collection."""
        item = f"/{self.name}/<int:id_>"
        for path, method, view in (
            (f"/{self.name}", "GET", self._list),
            (f"/{self.name}", "POST", self._create),
            (item, "GET", self._get),
            (item, "PUT", self._update),
            (item, "DELETE", self._delete),
            (f"{item}/actions", "GET", self._actions),
            (f"{item}/actions/<name>", "POST", self._act),
        ):
            blueprint.add_url_rule(path, f"{self.name}{view.__name__}", view, methods=[method])

    def _list(self) -> Answer:
        cloud = current()
        return page(
            self.name, cloud.of(self.name).values(), lambda resource: self.shown(cloud, resource), *self.filters
        )

    def _create(self) -> Answer:
        cloud = current()
        created, more = self.create(cloud, _body())
        return {self.singular: self.shown(cloud, created), **more}, 201

    def _get(self, id_: int) -> Answer:
        cloud = current()
        return {self.singular: self.shown(cloud, self.find(cloud, id_))}, 200

    def _update(self, id_: int) -> Answer:
        cloud, body = current(), _body()
        resource = self.find(cloud, id_)
        if "name" in body:
            self._refuse_name_in_use(cloud, required(body, "name"), own_id=id_)
            resource["name"] = body["name"]
        if "labels" in body:
            # They replace all labels of the object.
            resource["labels"] = valid_labels(body["labels"])
        resource |= {name: body[name] for name in self.flags if name in body}
        return self._get(id_)

    def _delete(self, id_: int) -> Answer | tuple[str, int]:
        cloud = current()
        resource = self.find(cloud, id_)
        if resource.get("protection", {}).get("delete"):
            raise RefusedError("protected", f"{self.title.lower()} deletion is protected")
        actions.refuse_while_running(cloud, self.singular, id_)
        self.delete(cloud, resource)
        del cloud.of(self.name)[str(id_)]
        if self.delete_command is None:
            return "", 204
        return {"action": actions.start(cloud, self.delete_command, self.singular, id_)}, 200

    def _actions(self, id_: int) -> Answer:
        cloud = current()
        self.find(cloud, id_)
        return actions.read(actions.of_resource(cloud, self.singular, id_))

    def _act(self, id_: int, name: str) -> Answer:
        if name not in self.actions:
            abort(404)
        cloud, (command, act) = current(), self.actions[name]
        resource = self.find(cloud, id_)
        actions.refuse_while_running(cloud, self.singular, id_)
        act(cloud, resource, _body())
        started = actions.start(cloud, command, self.singular, id_)
        return {"actions": [started]} if self.several else {"action": started}, 201

    def _refuse_name_in_use(self, cloud: Cloud, name: str, *, own_id: int | None = None) -> None:
        """Names are unique for each project and type."""
        others = (other for other in cloud.of(self.name).values() if other["id"] != own_id)
        if any(other["name"] == name for other in others):
            raise RefusedError("uniqueness_error", f"{self.title.lower()} name is already used")


def change_protection(_: Cloud, resource: Object, body: Body) -> None:
    """Sets or removes the delete protection of an object."""
    resource["protection"]["delete"] = bool(required(body, "delete"))


def required(body: Body, name: str) -> Any:  # noqa: ANN401  # JSON
    """A field that a request must set."""
    value = body.get(name)
    if value is None or value == "":
        raise invalid_input(name, "missing data for required field")
    return value


def _body() -> Body:
    body = request.get_json(silent=True) if request.get_data() else {}
    if not isinstance(body, dict):
        raise RefusedError("json_error", "invalid JSON in request")
    return body
