"""Authenticated origin pulls: the client certificate for connections to the origin, and the settings that enable it."""

# ruff: noqa: PLC0415 - importing cryptography takes 0.1 s, and previews do not need it
from __future__ import annotations

from typing import Final

from ..kinds import Cloud, Created, Kind, now
from ..values import Props
from . import common
from .common import api_error

_CERTIFICATE: Final = "cloudflare:index/authenticatedOriginPullsCertificate:AuthenticatedOriginPullsCertificate"
_SETTINGS: Final = "cloudflare:index/authenticatedOriginPullsSettings:AuthenticatedOriginPullsSettings"
_HOSTNAMES: Final = "cloudflare:index/authenticatedOriginPulls:AuthenticatedOriginPulls"
_PATH: Final = "/origin_tls_client_auth"


def _validate_certificate(cloud: Cloud, _: str | None, props: Props) -> None:
    from . import client_certificate

    common.zone_name(cloud, props.get("zoneId"), _PATH)
    error = client_certificate.pair_error(props["certificate"], props["privateKey"])
    if error:
        raise api_error(1412, error, path=f"/zones/{props['zoneId']}{_PATH}")


def _create_certificate(_: Cloud, props: Props) -> Created:
    from . import client_certificate

    id_ = common.new_id()
    attributes = client_certificate.attributes(props["certificate"])
    return Created(id_, {**attributes, "certificateId": id_, "enabled": True, "status": "active", "uploadedOn": now()})


def _validate_in_zone(cloud: Cloud, _: str | None, props: Props) -> None:
    common.zone_name(cloud, props.get("zoneId"), _PATH)


def _create_settings(_: Cloud, props: Props) -> Created:
    return Created(props["zoneId"], {})


def _implicit_settings(cloud: Cloud, key: str, _: Props) -> Props | None:
    """Every zone has the settings. They are disabled by default."""
    return {"zoneId": key, "enabled": False} if key in common.zones(cloud) else None


def _validate_hostnames(cloud: Cloud, _: str | None, props: Props) -> None:
    zone = common.zone_name(cloud, props.get("zoneId"), _PATH)
    path = f"/zones/{props['zoneId']}{_PATH}/hostnames"
    for config in props["configs"]:
        host = config.get("hostname")
        if not host or (host != zone and not host.endswith(f".{zone}")):
            raise api_error(1405, f"hostname {host} is not in zone {zone}", path=path, method="PUT")


def _create_hostnames(_: Cloud, props: Props) -> Created:
    return Created(props["configs"][0]["hostname"], _computed_hostnames(props, {}))


def _after_hostnames_update(_cloud: Cloud, _id: str, props: Props, old: Props) -> Props:
    return _computed_hostnames(props, old)


def _computed_hostnames(props: Props, old: Props) -> Props:
    first = props["configs"][0]
    return {
        "certId": first.get("certId"),
        "certStatus": "active",
        "createdAt": old.get("createdAt") or now(),
        "enabled": first.get("enabled"),
        "hostname": first.get("hostname"),
        "status": "active",
        "updatedAt": now(),
    }


KINDS: Final = (
    Kind(
        type=_CERTIFICATE,
        dialect="framework",
        create=_create_certificate,
        replaces=frozenset({"certificate", "zoneId"}),
        # Whitespace around the certificate is not significant.
        canonical={"certificate": lambda pem: str(pem).strip()},
        write_only=frozenset({"privateKey"}),
        secrets=frozenset({"privateKey"}),
        validate=_validate_certificate,
        state_key=common.last_part,
    ),
    Kind(
        type=_SETTINGS,
        dialect="framework",
        create=_create_settings,
        replaces=frozenset({"zoneId"}),
        validate=_validate_in_zone,
        implicit=_implicit_settings,
        # The provider cannot delete the settings: they keep their values.
        retained=True,
    ),
    Kind(
        type=_HOSTNAMES,
        dialect="framework",
        create=_create_hostnames,
        replaces=frozenset({"zoneId"}),
        secrets=frozenset({"privateKey"}),
        validate=_validate_hostnames,
        after_update=_after_hostnames_update,
        state_key=common.within_zone,
        resource_id=common.id_within_zone,
    ),
)
