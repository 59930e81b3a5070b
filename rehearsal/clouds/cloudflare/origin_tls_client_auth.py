"""Authenticated Origin Pulls: client certificates that Cloudflare presents to the origin, and their switch.

https://developers.cloudflare.com/api/resources/origin_tls_client_auth/
"""

# ruff: noqa: PLC0415  # importing cryptography takes 0.1 s, which most requests do not need
from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, Never

from ..cloud import current
from ..store import Object
from ..vendor import Answer
from .answers import blueprint, body, new_id, now, refuse, result
from .zones import find_zone

_PATH: Final = "/zones/<zone_id>/origin_tls_client_auth"
DEPLOYMENT_SECONDS: Final = 2.0
"""Until a certificate reaches all of Cloudflare's data centers; a few minutes in reality."""


@blueprint.get(_PATH)
def list_client_certificates(zone_id: str) -> Answer:
    """The client certificates of a zone."""
    return result([_shown(certificate) for certificate in _certificates(zone_id).values()])


@blueprint.post(_PATH)
def upload_client_certificate(zone_id: str) -> Answer:
    """Stores a client certificate. The API never returns the private key, so the state does not contain it."""
    from . import client_certificate

    inputs, existing = body(), _certificates(zone_id)
    pem = str(inputs.get("certificate", ""))
    client_certificate.validate(pem, str(inputs.get("private_key", "")))
    if any(certificate["certificate"].strip() == pem.strip() for certificate in existing.values()):
        # https://github.com/cloudflare/terraform-provider-cloudflare/issues/837
        refuse(1406, "This certificate already exists for this zone.")
    certificate = {
        "id": new_id(),
        "zone_id": zone_id,
        "certificate": pem,
        **client_certificate.details(pem),
        "enabled": True,
        "uploaded_on": now(),
    }
    current().of("origin_tls_client_auth")[certificate["id"]] = certificate
    return result(_shown(certificate))


@blueprint.get(f"{_PATH}/<certificate_id>")
def get_client_certificate(zone_id: str, certificate_id: str) -> Answer:
    """A client certificate."""
    return result(_shown(_find(zone_id, certificate_id)))


@blueprint.delete(f"{_PATH}/<certificate_id>")
def delete_client_certificate(zone_id: str, certificate_id: str) -> Answer:
    """Deletes a client certificate. The API returns it until all data centers have removed it."""
    certificate = _find(zone_id, certificate_id)
    certificate["deleted_on"] = now()
    return result(_shown(certificate))


@blueprint.get(f"{_PATH}/settings")
def get_origin_pulls(zone_id: str) -> Answer:
    """Whether Cloudflare presents a client certificate. It is off in a new zone."""
    find_zone(zone_id)
    return result(current().of("origin_tls_client_auth_settings").get(zone_id, {"enabled": False}))


@blueprint.put(f"{_PATH}/settings")
def edit_origin_pulls(zone_id: str) -> Answer:
    """Switches Authenticated Origin Pulls on or off."""
    find_zone(zone_id)
    enabled = body().get("enabled")
    if not isinstance(enabled, bool):
        refuse(1400, "enabled must be a boolean")
    current().of("origin_tls_client_auth_settings")[zone_id] = {"enabled": enabled}
    return result({"enabled": enabled})


def _find(zone_id: str, certificate_id: str) -> Object:
    return _certificates(zone_id).get(certificate_id) or _not_found()


def _not_found() -> Never:
    refuse(1551, "Resource not found.", HTTPStatus.NOT_FOUND)


def _certificates(zone_id: str) -> dict[str, Object]:
    find_zone(zone_id)
    return {
        id_: certificate
        for id_, certificate in current().of("origin_tls_client_auth").items()
        if certificate["zone_id"] == zone_id and _status(certificate) != "deleted"
    }


def _shown(certificate: Object) -> Object:
    shown = {name: value for name, value in certificate.items() if name not in ("zone_id", "deleted_on")}
    return {**shown, "status": _status(certificate)}


def _status(certificate: Object) -> str:
    if "deleted_on" in certificate:
        return "deleted" if _is_deployed(certificate["deleted_on"]) else "pending_deletion"
    return "active" if _is_deployed(certificate["uploaded_on"]) else "pending_deployment"


def _is_deployed(since: str) -> bool:
    return (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds() >= DEPLOYMENT_SECONDS
