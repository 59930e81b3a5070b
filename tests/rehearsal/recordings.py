"""Requests to the clouds, in a form in which a rehearsal's can be compared with those that the real plugins sent.

`tests/recorded_requests/` holds the requests of the real plugins (pulumi-hcloud on terraform-provider-hcloud 1.68.0,
pulumi-cloudflare on terraform-provider-cloudflare 5.22.0) for production's own settings, in the order of their arrival.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from ops.token_check import NO_OBJECT
from rehearsal.clouds.log import FILE
from rehearsal.clouds.store import Store

RECORDED = Path(__file__).parents[1] / "recorded_requests"

_ZONE = "/client/v4/zones/<id:zone>"
TOKEN_CHECKS = frozenset(
    {
        ("POST", "/v1/ssh_keys"),
        ("PATCH", f"{_ZONE}/dns_records/{NO_OBJECT}"),
        ("PATCH", f"{_ZONE}/settings/ssl"),
        ("POST", f"{_ZONE}/origin_tls_client_auth"),
    }
)
"""Method and path of the changes with which the tokens are checked."""

Change: TypeAlias = tuple[str, str, str, int]
"""Method, path, body and status of a request."""


def recorded(scenario: str) -> Sequence[Mapping[str, Any]]:
    """The requests of the real plugins in a scenario."""
    return _lines(RECORDED / f"{scenario}.jsonl")


def received(clouds: Path, *, after: int = 0, names: Mapping[str, str] | None = None) -> Sequence[Mapping[str, Any]]:
    """The requests that the clouds of a world received after the first `after` ones, with placeholders for ids.

    `names` are the placeholders of resources that were renamed since.
    """
    placeholders = {**placeholders_of(clouds), **(names or {})}
    requests = _lines(clouds / FILE)[after:]
    return [
        {
            **request,
            "path": "/".join(placeholders.get(part, part) for part in request["path"].split("/")),
            "body": _with_placeholders(request["body"], placeholders),
        }
        for request in requests
    ]


def placeholders_of(clouds: Path) -> Mapping[str, str]:
    """By id, the placeholder that the recordings have for a resource: its kind and its present name."""
    return dict(_placeholders(clouds))


def count(clouds: Path) -> int:
    """How many requests the clouds of a world have received so far."""
    return len(_lines(clouds / FILE))


def _is_token_check(request: Mapping[str, Any]) -> bool:
    """Whether it is a change that ops/token_check.py sends to be refused. The plugins do not send it."""
    return request["status"] >= 400 and (request["method"], request["path"]) in TOKEN_CHECKS


def changes(requests: Sequence[Mapping[str, Any]]) -> Mapping[str, Sequence[Change]]:
    """The requests that change something, in their order, by the resource that they change.

    Resources without an order among them arrive in any order. The elements of sets, which the real plugins send in the
    order of their hashes, are sorted.
    """
    by_resource: dict[str, list[Change]] = {}
    for request in requests:
        if request["method"] != "GET" and not _is_token_check(request):
            resource = re.sub(r"/actions/\w+$", "", request["path"])
            if request["method"] == "POST" and "/actions/" not in request["path"]:
                resource = f"{resource} {_name(request['body'])}"
            body = json.dumps(_sorted(request["body"]), sort_keys=True)
            if request["path"].endswith("/apply_to_resources"):
                # Each server is added to the firewall by itself, and the servers have no order.
                resource = f"{resource} {body}"
            change = (request["method"], request["path"], body, request["status"])
            by_resource.setdefault(resource, []).append(change)
    return by_resource


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def _name(body: Mapping[str, Any]) -> str:
    return " ".join(str(body[key]) for key in ("name", "content") if key in body)


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _sorted(part) for name, part in value.items()}
    if isinstance(value, list):
        return sorted((_sorted(part) for part in value), key=lambda part: json.dumps(part, sort_keys=True))
    return value


def _with_placeholders(value: Any, placeholders: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _with_placeholders(part, placeholders) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_placeholders(part, placeholders) for part in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return placeholders.get(str(value), value)
    return value


def _placeholders(clouds: Path) -> Iterator[tuple[str, str]]:
    for collection in ("servers", "primary_ips", "ssh_keys", "placement_groups", "firewalls", "networks"):
        for id_, resource in Store(clouds / "hetzner.json").read().of(collection).items():
            name = resource["name"]
            if name == f"primary_ip-{id_}":
                # Hetzner's name of an address that came with its server. The recordings contain the address.
                name = f"primary_ip-{resource['ip']}"
            yield id_, f"<id:{collection.removesuffix('s')}:{name}>"
    cloudflare = Store(clouds / "cloudflare.json").read()
    account = json.loads((clouds / "account.json").read_text())
    for zone in account["zones"].values():
        yield zone, "<id:zone>"
    for id_, record in cloudflare.of("dns_records").items():
        yield id_, f"<id:record:{record['name']}:{record['type']}:{record['content']}>"
    for id_ in cloudflare.of("certificates"):
        yield id_, "<id:origin_certificate>"
    for id_ in cloudflare.of("origin_tls_client_auth"):
        yield id_, "<id:client_certificate>"
