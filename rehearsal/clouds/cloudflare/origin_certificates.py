"""Origin CA certificates, signed by the CA of the simulated account."""

# ruff: noqa: PLC0415 - importing cryptography takes 0.1 s, and previews do not need it
from __future__ import annotations

from typing import Final

from ..kinds import ApiError, Cloud, Created, Kind
from ..values import Props
from . import common
from .common import api_error

_TYPE: Final = "cloudflare:index/originCaCertificate:OriginCaCertificate"
_PATH: Final = "/certificates"


def _validate(cloud: Cloud, _: str | None, props: Props) -> None:
    from . import origin_ca

    if origin_ca.load_csr(props["csr"]) is None:
        raise api_error(
            1006, "Failed to validate requested hostname: the certificate signing request cannot be parsed", path=_PATH
        )
    zones = sorted(common.zones(cloud).values())
    for host in props["hostnames"]:
        if not _in_account(host, zones):
            reason = "This zone is either not part of your account, or you do not have access to it."
            raise api_error(1010, f"Failed to validate requested hostname {host}: {reason}", path=_PATH)


def _in_account(host: str, zones: list[str]) -> bool:
    name = host.removeprefix("*.")
    return "*" not in name and any(name == zone or name.endswith(f".{zone}") for zone in zones)


def _create(cloud: Cloud, props: Props) -> Created:
    from . import origin_ca

    ca = origin_ca.origin_ca(cloud.state.internal)
    request = origin_ca.load_csr(props["csr"])
    if request is None:
        raise ApiError("the certificate signing request cannot be parsed")
    certificate, expires = origin_ca.sign(ca, request, props["hostnames"], int(props["requestedValidity"]))
    # The API uses numbers with 48 digits as ids of certificates.
    return Created(
        str(int(common.new_id() + common.new_id()[:8], 16))[:48], {"certificate": certificate, "expiresOn": expires}
    )


KINDS: Final = (
    Kind(
        type=_TYPE,
        dialect="framework",
        create=_create,
        replaces=frozenset({"csr", "hostnames", "requestType", "requestedValidity"}),
        defaults={"requestedValidity": 5475},
        validate=_validate,
        state_key=common.last_part,
    ),
)
