"""Origin CA certificates (https://developers.cloudflare.com/api/resources/origin_ca_certificates/).

They are really signed, by a certificate authority that the simulated account keeps.
"""

# ruff: noqa: PLC0415  # importing cryptography takes 0.1 s, which most requests do not need
from __future__ import annotations

from http import HTTPStatus
from typing import Final, Never

from flask import request

from ..cloud import current
from ..store import Object
from ..vendor import Answer
from .answers import blueprint, body, now, page, refuse, result
from .zones import contains, find_zone

_REQUEST_TYPES: Final = ("origin-rsa", "origin-ecc", "keyless-certificate")
_VALIDITY_DAYS: Final = (7, 30, 90, 365, 730, 1095, 5475)
# https://developers.cloudflare.com/ssl/origin-configuration/origin-ca/#hostname-and-wildcard-coverage
_MOST_HOSTNAMES: Final = 200


@blueprint.get("/certificates")
def list_certificates() -> Answer:
    """The certificates of one zone."""
    zone_id = request.args.get("zone_id")
    if not zone_id:
        # https://github.com/zingz0r/CloudFlare.Client/pull/89
        refuse(1012, "Please provide a zone id when requesting a stored certificate, or fetch by serial number")
    zone = find_zone(zone_id)
    certificates = [
        certificate
        for certificate in current().of("certificates").values()
        if any(contains(zone, host.removeprefix("*.")) for host in certificate["hostnames"])
    ]
    return page(certificates, per_page=20, largest=50)


@blueprint.post("/certificates")
def create_certificate() -> Answer:
    """Signs a certificate request."""
    from . import origin_ca

    inputs = body()
    request_type, days = inputs.get("request_type"), inputs.get("requested_validity", max(_VALIDITY_DAYS))
    if request_type not in _REQUEST_TYPES:
        refuse(1004, f"Invalid request type: {request_type}")
    if days not in _VALIDITY_DAYS:
        refuse(1005, f"Invalid requested validity: {days}")
    signing_request = origin_ca.load_csr(str(inputs.get("csr", "")))
    if signing_request is None:
        refuse(1006, "The certificate signing request cannot be parsed")
    hostnames = list(inputs.get("hostnames") or ())
    _validate_hostnames(hostnames)
    authority = origin_ca.origin_ca(current().state.private)
    signed = origin_ca.sign(authority, signing_request, hostnames, int(days))
    certificate = {
        "id": signed.serial_number,
        "certificate": signed.pem,
        "hostnames": hostnames,
        # The documentation shows RFC 3339. The API returns the format of Go's time.Time:
        # https://github.com/cloudflare/python-cloudflare/issues/38
        "expires_on": signed.expires.strftime("%Y-%m-%d %H:%M:%S +0000 UTC"),
        "request_type": request_type,
        "requested_validity": days,
        "csr": inputs["csr"],
    }
    current().of("certificates")[certificate["id"]] = certificate
    return result(certificate)


@blueprint.get("/certificates/<certificate_id>")
def get_certificate(certificate_id: str) -> Answer:
    """One certificate, by its serial number."""
    return result(_find(certificate_id))


@blueprint.delete("/certificates/<certificate_id>")
def revoke_certificate(certificate_id: str) -> Answer:
    """Revokes a certificate."""
    _find(certificate_id)
    del current().of("certificates")[certificate_id]
    return result({"id": certificate_id, "revoked_at": now()})


def _find(certificate_id: str) -> Object:
    return current().of("certificates").get(certificate_id) or _unknown_certificate()


def _unknown_certificate() -> Never:
    # https://github.com/cloudflare/python-cloudflare/issues/38
    refuse(1101, "Failed to read certificate from Database", HTTPStatus.NOT_FOUND)


def _validate_hostnames(hostnames: list[str]) -> None:
    if not hostnames:
        refuse(1010, "Failed to validate requested hostname: no hostname was requested")
    if len(hostnames) > _MOST_HOSTNAMES:
        refuse(1010, f"Failed to validate requested hostname: {len(hostnames)} hostnames, at most {_MOST_HOSTNAMES}")
    for host in hostnames:
        domain = host.removeprefix("*.")
        # https://developers.cloudflare.com/ssl/origin-configuration/origin-ca/troubleshooting/
        # A wildcard covers one level.
        if "*" in domain or not any(contains({"name": name}, domain) for name in current().account.zones):
            reason = "This zone is either not part of your account, or you do not have access to it."
            refuse(1010, f"Failed to validate requested hostname {host}: {reason}")
