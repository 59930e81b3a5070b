"""DNS records (https://developers.cloudflare.com/api/resources/dns/subresources/records/)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, Never

from flask import request

from ..cloud import current
from ..store import Object
from ..vendor import Answer
from .answers import blueprint, body, new_id, now, page, refuse, result
from .dns_rules import PROXIABLE, full_name, normal_content, validate
from .filters import matching, ordered, parameters
from .zones import find_zone

_LARGEST_PAGE: Final = 5_000_000
_INPUTS: Final = ("name", "type", "content", "data", "priority", "proxied", "ttl", "comment", "tags", "settings")
_SEARCHED: Final = ("name", "content", "comment")
_DATED: Final = ("comment", "tags")
_AUTOMATIC_TTL: Final = 1
_DEFAULTS: Final[Object] = {
    "content": None,
    "proxied": False,
    "ttl": _AUTOMATIC_TTL,
    "settings": {},
    "comment": None,
    "tags": [],
}


def records_of(zone_id: str) -> dict[str, Object]:
    """The records of a zone, by id."""
    records = current().of("dns_records")
    return {id_: record for id_, record in records.items() if record["zone_id"] == zone_id}


@blueprint.get("/zones/<zone_id>/dns_records")
def list_records(zone_id: str) -> Answer:
    """Records, filtered by name, type, content, comment and `proxied`."""
    find_zone(zone_id)
    records = matching(map(_shown, records_of(zone_id).values()), parameters(("name", "type", "content", "comment")))
    if (proxied := request.args.get("proxied")) is not None:
        records = [record for record in records if record["proxied"] is (proxied == "true")]
    if (text := request.args.get("search")) is not None:
        records = [record for record in records if any(text in str(record.get(field)) for field in _SEARCHED)]
    return page(ordered(records, ("type", "name", "content", "ttl", "proxied")), per_page=100, largest=_LARGEST_PAGE)


@blueprint.post("/zones/<zone_id>/dns_records")
def create_record(zone_id: str) -> Answer:
    """A new record."""
    id_ = new_id()
    return _saved(zone_id, id_, {"id": id_, "created_on": now()}, {**_DEFAULTS, **body()})


@blueprint.get("/zones/<zone_id>/dns_records/<record_id>")
def get_record(zone_id: str, record_id: str) -> Answer:
    """One record."""
    return result(_shown(_find(zone_id, record_id)))


@blueprint.put("/zones/<zone_id>/dns_records/<record_id>")
def overwrite_record(zone_id: str, record_id: str) -> Answer:
    """Replaces a record; what the request leaves out gets its default."""
    return _saved(zone_id, record_id, _find(zone_id, record_id), {**_DEFAULTS, **body()})


@blueprint.patch("/zones/<zone_id>/dns_records/<record_id>")
def edit_record(zone_id: str, record_id: str) -> Answer:
    """Changes the fields of a record that the request contains."""
    record = _find(zone_id, record_id)
    return _saved(zone_id, record_id, record, {**record, **body()})


@blueprint.delete("/zones/<zone_id>/dns_records/<record_id>")
def delete_record(zone_id: str, record_id: str) -> Answer:
    """Deletes a record."""
    _find(zone_id, record_id)
    del current().of("dns_records")[record_id]
    return result({"id": record_id})


def _find(zone_id: str, record_id: str) -> Object:
    find_zone(zone_id)
    return records_of(zone_id).get(record_id) or _unknown_record()


def _unknown_record() -> Never:
    refuse(81044, "Record does not exist.", HTTPStatus.NOT_FOUND)


def _shown(record: Object) -> Object:
    return {name: value for name, value in record.items() if name != "zone_id"}


def _saved(zone_id: str, id_: str, old: Object, fields: Object) -> Answer:
    zone = find_zone(zone_id)
    inputs: Object = {name: fields[name] for name in _INPUTS if name in fields}
    inputs["name"] = full_name(zone, str(inputs.get("name", "")))
    inputs["content"] = normal_content(inputs)
    others = [record for other, record in records_of(zone_id).items() if other != id_]
    validate(inputs, others)
    if inputs["proxied"]:
        # https://developers.cloudflare.com/dns/manage-dns-records/reference/ttl/: proxied records always have it.
        inputs["ttl"] = _AUTOMATIC_TTL
    time = now()
    record = {
        "id": id_,
        "zone_id": zone_id,
        **inputs,
        "proxiable": inputs["type"] in PROXIABLE,
        "meta": {},
        "created_on": old["created_on"],
        "modified_on": time,
    }
    for name in _DATED:
        if inputs[name]:
            record[f"{name}_modified_on"] = old[f"{name}_modified_on"] if inputs[name] == old.get(name) else time
    current().of("dns_records")[id_] = record
    return result(_shown(record))
