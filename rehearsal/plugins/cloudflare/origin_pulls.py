"""Authenticated Origin Pulls: the client certificate that Cloudflare presents to the origin, and its switch."""

from __future__ import annotations

from typing import Final

from ..client import Client
from ..kinds import Created, Kind
from ..values import Props
from .names import properties, within_zone, zone_path

_PATH: Final = "origin_tls_client_auth"


def _create_certificate(client: Client, props: Props) -> Created:
    body = {"certificate": props["certificate"], "private_key": props["privateKey"]}
    certificate = client.post(f"{zone_path(props)}/{_PATH}", body)
    return Created(certificate["id"], _certificate(certificate, without=props))


def _read_certificate(client: Client, id_: str, state: Props) -> Created | None:
    zone, certificate_id = within_zone(id_, state)
    certificate = client.find(f"{zone_path(zone)}/{_PATH}/{certificate_id}")
    return Created(certificate_id, {**_certificate(certificate), **zone}) if certificate else None


def _delete_certificate(client: Client, id_: str, old: Props) -> None:
    client.delete(f"{zone_path(old)}/{_PATH}/{id_}", missing_ok=False)


def _certificate(certificate: Props, *, without: Props | None = None) -> Props:
    return {**properties(certificate, without=without), "certificateId": certificate["id"]}


def _create_settings(client: Client, props: Props) -> Created:
    _update_settings(client, "", {}, props)
    return Created(props["zoneId"], {})


def _read_settings(client: Client, id_: str, _: Props) -> Created | None:
    settings = client.find(f"zones/{id_}/{_PATH}/settings")
    return Created(id_, {"zoneId": id_, "enabled": settings["enabled"]}) if settings else None


def _update_settings(client: Client, _: str, _old: Props, new: Props) -> Props:
    client.put(f"{zone_path(new)}/{_PATH}/settings", {"enabled": new["enabled"]})
    return {}


KINDS: Final = (
    Kind(
        type="cloudflare:index/authenticatedOriginPullsCertificate:AuthenticatedOriginPullsCertificate",
        dialect="framework",
        create=_create_certificate,
        read=_read_certificate,
        delete=_delete_certificate,
        replaces=frozenset({"certificate", "zoneId"}),
        # White space around a certificate has no meaning.
        canonical={"certificate": lambda pem: str(pem).strip()},
        write_only=frozenset({"privateKey"}),
        secrets=frozenset({"privateKey"}),
        recomputed=frozenset(
            {"enabled", "expiresOn", "id", "issuer", "serialNumber", "signature", "status", "uploadedOn"}
        ),
    ),
    Kind(
        type="cloudflare:index/authenticatedOriginPullsSettings:AuthenticatedOriginPullsSettings",
        dialect="framework",
        create=_create_settings,
        read=_read_settings,
        update=_update_settings,
        replaces=frozenset({"zoneId"}),
    ),
)
