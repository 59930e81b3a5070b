"""The simulated Hetzner Cloud: the part of https://docs.hetzner.cloud/reference/cloud that clusters use."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Request

from ..vendor import Answer, Vendor
from . import actions, catalog
from .authentication import add_rate_limit, authenticate
from .errors import RefusedError
from .firewalls import FIREWALLS
from .networks import NETWORKS
from .placement_groups import PLACEMENT_GROUPS
from .primary_ips import PRIMARY_IPS
from .servers import SERVERS
from .ssh_keys import SSH_KEYS

blueprint = Blueprint("hetzner", __name__)
blueprint.after_request(add_rate_limit)
actions.register(blueprint)
catalog.register(blueprint)
for _collection in (FIREWALLS, NETWORKS, PLACEMENT_GROUPS, PRIMARY_IPS, SERVERS, SSH_KEYS):
    _collection.register(blueprint)


@blueprint.errorhandler(RefusedError)
def _refuse(error: RefusedError) -> Answer:
    return error.answer


def _unknown_path(request: Request, status: int) -> Answer:
    message = f"the rehearsal does not simulate {request.method} {request.path}"
    return {"error": {"code": "not_found", "message": message, "details": None}}, status


VENDOR: Final = Vendor(
    name="hetzner",
    prefix="/v1",
    blueprint=blueprint,
    authenticate=authenticate,
    unknown_path=_unknown_path,
    broken=lambda message: RefusedError("server_error", message).answer,
)
