"""Routes of Workers (https://developers.cloudflare.com/api/resources/workers/subresources/routes/).

A route may name a script that does not exist.
"""

from __future__ import annotations

from typing import Final

from ..cloud import current
from ..store import Object
from ..vendor import Answer
from .answers import blueprint, body, new_id, result, unknown_object
from .zones import find_zone

_PATH: Final = "/zones/<zone_id>/workers/routes"


@blueprint.get(_PATH)
def list_worker_routes(zone_id: str) -> Answer:
    """The routes of a zone. The list has no pages."""
    return result([_shown(route) for route in _routes(zone_id).values()])


@blueprint.post(_PATH)
def create_worker_route(zone_id: str) -> Answer:
    """A new route. Without a script, no Worker runs for its URLs."""
    find_zone(zone_id)
    inputs = body("pattern")
    route = {"id": new_id(), "zone_id": zone_id, "pattern": inputs["pattern"], "script": inputs.get("script")}
    current().of("worker_routes")[route["id"]] = route
    return result(_shown(route))


@blueprint.delete(f"{_PATH}/<route_id>")
def delete_worker_route(zone_id: str, route_id: str) -> Answer:
    """Deletes a route."""
    if route_id not in _routes(zone_id):
        unknown_object()
    del current().of("worker_routes")[route_id]
    return result({"id": route_id})


def _routes(zone_id: str) -> dict[str, Object]:
    find_zone(zone_id)
    return {id_: route for id_, route in current().of("worker_routes").items() if route["zone_id"] == zone_id}


def _shown(route: Object) -> Object:
    return {name: value for name, value in route.items() if name != "zone_id" and value is not None}
