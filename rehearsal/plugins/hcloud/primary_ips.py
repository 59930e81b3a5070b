"""Primary IPs (terraform-provider-hcloud, internal/primaryip/resource.go)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from ..client import ApiError, Client
from ..kinds import Created, Kind
from ..values import Props, Value
from .objects import changes, invalid_labels, reader
from .vendor import act, framework, wait

_PLACES: Final = {"location": "location", "datacenter": "datacenter", "assignee_id": "assigneeId"}


def assign(client: Client, id_: object, server: int) -> None:
    """Assigns an address to a server."""
    act(client, f"primary_ips/{id_}", "assign", {"assignee_id": server, "assignee_type": "server"})


def unassign(client: Client, id_: object) -> None:
    """Takes an address away from its server."""
    act(client, f"primary_ips/{id_}", "unassign")


def _properties(address: Props) -> Props:
    network = ipaddress.ip_network(address["ip"])
    return {
        **{name: address[name] for name in ("name", "type", "labels")},
        "location": address["location"]["name"],
        "assigneeId": address["assignee_id"] or 0,
        "assigneeType": address["assignee_type"],
        "autoDelete": address["auto_delete"],
        "deleteProtection": address["protection"]["delete"],
        "ipAddress": str(network.network_address),
        "ipNetwork": str(network) if address["type"] == "ipv6" else None,
    }


def _create(client: Client, inputs: Props) -> Created:
    shared = {"name": inputs["name"], "type": inputs["type"], "labels": inputs.get("labels") or {}}
    body: dict[str, Any] = {**shared, "auto_delete": inputs["autoDelete"]}
    if inputs.get("location"):
        body["location"] = inputs["location"]
    elif inputs.get("assigneeId"):
        body |= {"assignee_id": inputs["assigneeId"], "assignee_type": inputs.get("assigneeType", "server")}
    answer = client.post("primary_ips", body)
    wait(client, answer["action"])
    id_ = answer["primary_ip"]["id"]
    if inputs["deleteProtection"]:
        act(client, f"primary_ips/{id_}", "change_protection", {"delete": True})
    return Created(str(id_), _properties(client.get(f"primary_ips/{id_}")["primary_ip"]))


def _update(client: Client, id_: str, old: Props, new: Props) -> Props:
    path = f"primary_ips/{id_}"
    if protection := changes(old, new, {"deleteProtection": "delete"}):
        act(client, path, "change_protection", protection)
    if "assigneeId" in new and new["assigneeId"] != old.get("assigneeId"):
        if old.get("assigneeId"):
            unassign(client, id_)
        if new["assigneeId"]:
            assign(client, id_, new["assigneeId"])
    body = changes(old, new, {"name": "name", "labels": "labels", "autoDelete": "auto_delete"})
    return _properties(client.put(path, body)["primary_ip"])


def _delete(client: Client, id_: str, old: Props) -> None:
    assignee = old.get("assigneeId")
    response = client.find(f"servers/{assignee}") if assignee else None
    nets = [response["server"]["public_net"][type_] or {} for type_ in ("ipv4", "ipv6")] if response else []
    if int(id_) in [net.get("id") for net in nets]:
        for path, action in (
            (f"servers/{assignee}", "poweroff"),
            (f"primary_ips/{id_}", "unassign"),
            (f"servers/{assignee}", "poweron"),
        ):
            # The plugin ignores the errors of these requests.
            with suppress(ApiError):
                act(client, path, action)
    client.delete(f"primary_ips/{id_}")


def _invalid_type(value: Value) -> str | None:
    if value in ("ipv4", "ipv6"):
        return None
    return f'Invalid Attribute Value Match. Attribute type value must be one of: ["ipv4" "ipv6"], got: "{value}"'


def _one_place(props: Props) -> Iterator[str]:
    configured = [name for name, key in _PLACES.items() if props.get(key) is not None]
    if len(configured) != 1:
        problem = "Invalid Attribute Combination" if configured else "Missing Attribute Configuration"
        yield f"{problem}: Exactly one of these attributes must be configured: [{','.join(_PLACES)}]"


KIND: Final = framework(
    Kind(
        type="hcloud:index/primaryIp:PrimaryIp",
        dialect="framework",
        auto_named=True,
        create=_create,
        read=reader("primary_ips", "primary_ip", _properties),
        update=_update,
        delete=_delete,
        replaces=frozenset({"type", "location"}),
        defaults={"autoDelete": False, "deleteProtection": False},
        computed=frozenset({"location", "datacenter", "assigneeId", "assigneeType"}),
        recomputed=frozenset({"datacenter", "assigneeId", "assigneeType"}),
        validators={"type": _invalid_type, "labels": invalid_labels},
        check=_one_place,
    )
)
