"""Page rules of a zone (https://developers.cloudflare.com/api/resources/page_rules/)."""

from __future__ import annotations

from typing import Final

from flask import request

from ..cloud import current
from ..store import Object
from ..vendor import Answer
from .answers import blueprint, body, new_id, now, result, unknown_object
from .zones import find_zone

_PATH: Final = "/zones/<zone_id>/pagerules"


@blueprint.get(_PATH)
def list_page_rules(zone_id: str) -> Answer:
    """The page rules of a zone, or those with a status. The list has no pages."""
    status = request.args.get("status")
    return result([_shown(rule) for rule in _rules(zone_id).values() if status in (None, rule["status"])])


@blueprint.post(_PATH)
def create_page_rule(zone_id: str) -> Answer:
    """A new page rule. Without a status, it is disabled."""
    find_zone(zone_id)
    inputs, time = body("targets", "actions"), now()
    rule = {
        "id": new_id(),
        "zone_id": zone_id,
        "targets": inputs["targets"],
        "actions": inputs["actions"],
        "priority": inputs.get("priority", 1),
        "status": inputs.get("status", "disabled"),
        "created_on": time,
        "modified_on": time,
    }
    current().of("page_rules")[rule["id"]] = rule
    return result(_shown(rule))


@blueprint.delete(f"{_PATH}/<rule_id>")
def delete_page_rule(zone_id: str, rule_id: str) -> Answer:
    """Deletes a page rule."""
    if rule_id not in _rules(zone_id):
        unknown_object()
    del current().of("page_rules")[rule_id]
    return result({"id": rule_id})


def _rules(zone_id: str) -> dict[str, Object]:
    find_zone(zone_id)
    return {id_: rule for id_, rule in current().of("page_rules").items() if rule["zone_id"] == zone_id}


def _shown(rule: Object) -> Object:
    return {name: value for name, value in rule.items() if name != "zone_id"}
