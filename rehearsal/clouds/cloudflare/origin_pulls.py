"""Authenticated origin pulls: the client certificate that Cloudflare shows to the origin, and whether it does."""

# ruff: noqa: PLC0415 - the cryptography costs 0.1 s, which a preview need not pay
from __future__ import annotations

from typing import Final

from ..kinds import Cloud, Kind, Made, now
from ..values import Props
from . import rules
from .rules import api_error

_CERTIFICATE: Final = "cloudflare:index/authenticatedOriginPullsCertificate:AuthenticatedOriginPullsCertificate"
_SETTINGS: Final = "cloudflare:index/authenticatedOriginPullsSettings:AuthenticatedOriginPullsSettings"
_HOSTNAMES: Final = "cloudflare:index/authenticatedOriginPulls:AuthenticatedOriginPulls"
_PATH: Final = "/origin_tls_client_auth"


def _admit_certificate(cloud: Cloud, _: str | None, props: Props) -> None:
    from . import client_certificate

    rules.zone_name(cloud, props.get("zoneId"), _PATH)
    problem = client_certificate.problem(props["certificate"], props["privateKey"])
    if problem:
        raise api_error(1412, problem, path=f"/zones/{props['zoneId']}{_PATH}")


def _create_certificate(_: Cloud, props: Props) -> Made:
    from . import client_certificate

    id_ = rules.new_id()
    facts = client_certificate.facts(props["certificate"])
    return Made(id_, {**facts, "certificateId": id_, "enabled": True, "status": "active", "uploadedOn": now()})


def _admit_in_zone(cloud: Cloud, _: str | None, props: Props) -> None:
    rules.zone_name(cloud, props.get("zoneId"), _PATH)


def _create_settings(_: Cloud, props: Props) -> Made:
    return Made(props["zoneId"], {})


def _given_settings(cloud: Cloud, key: str, _: Props) -> Props | None:
    """Every zone has them, switched off until somebody switches them on."""
    return {"zoneId": key, "enabled": False} if key in rules.zones(cloud) else None


def _admit_hostnames(cloud: Cloud, _: str | None, props: Props) -> None:
    zone = rules.zone_name(cloud, props.get("zoneId"), _PATH)
    path = f"/zones/{props['zoneId']}{_PATH}/hostnames"
    for config in props["configs"]:
        host = config.get("hostname")
        if not host or (host != zone and not host.endswith(f".{zone}")):
            raise api_error(1405, f"hostname {host} is not in zone {zone}", path=path, method="PUT")


def _create_hostnames(_: Cloud, props: Props) -> Made:
    return Made(props["configs"][0]["hostname"], _facts(props, {}))


def _refresh_hostnames(_cloud: Cloud, _id: str, props: Props, old: Props) -> Props:
    return _facts(props, old)


def _facts(props: Props, old: Props) -> Props:
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
        # The same certificate with other white space is the same.
        canonical={"certificate": lambda pem: str(pem).strip()},
        untold=frozenset({"privateKey"}),
        secrets=frozenset({"privateKey"}),
        admit=_admit_certificate,
        key=rules.last_part,
    ),
    Kind(
        type=_SETTINGS,
        dialect="framework",
        create=_create_settings,
        replaces=frozenset({"zoneId"}),
        admit=_admit_in_zone,
        given=_given_settings,
        # The provider has no way to delete it: what was set stays.
        survives=True,
    ),
    Kind(
        type=_HOSTNAMES,
        dialect="framework",
        create=_create_hostnames,
        replaces=frozenset({"zoneId"}),
        secrets=frozenset({"privateKey"}),
        admit=_admit_hostnames,
        refresh=_refresh_hostnames,
        key=rules.within_zone,
        resource_id=rules.own_part,
    ),
)
