"""Placement groups (terraform-provider-hcloud, internal/placementgroup/resource.go)."""

from __future__ import annotations

from typing import Final

from ..client import Client
from ..kinds import Created, Kind
from ..values import Props, Value
from .objects import changes, deleter, invalid_labels, present, reader
from .vendor import wait


def _properties(group: Props) -> Props:
    return {name: group[name] for name in ("name", "type", "labels", "servers")}


def _create(client: Client, inputs: Props) -> Created:
    body = present(inputs, {"name": "name", "labels": "labels", "type": "type"})
    answer = client.post("placement_groups", body)
    wait(client, answer["action"])
    id_ = answer["placement_group"]["id"]
    return Created(str(id_), _properties(client.get(f"placement_groups/{id_}")["placement_group"]))


def _update(client: Client, id_: str, old: Props, new: Props) -> Props:
    path = f"placement_groups/{id_}"
    client.get(path)
    for field, value in changes(old, new, {"name": "name", "labels": "labels"}).items():
        client.put(path, {field: value})
    return _properties(client.get(path)["placement_group"])


def _invalid_type(value: Value) -> str | None:
    return None if value == "spread" else f"{value} is not a valid placement group type"


KIND: Final = Kind(
    type="hcloud:index/placementGroup:PlacementGroup",
    dialect="sdk2",
    auto_named=True,
    create=_create,
    read=reader("placement_groups", "placement_group", _properties),
    update=_update,
    delete=deleter("placement_groups", missing_ok=False),
    validators={"labels": invalid_labels, "type": _invalid_type},
)
