"""Origin CA certificates: really signed, by an authority that the simulated account keeps for itself."""

# ruff: noqa: PLC0415 - the cryptography costs 0.1 s, which a preview need not pay
from __future__ import annotations

from typing import Final

from ..kinds import ApiError, Cloud, Kind, Made
from ..values import Props
from . import rules
from .rules import api_error

_TYPE: Final = "cloudflare:index/originCaCertificate:OriginCaCertificate"
_PATH: Final = "/certificates"


def _admit(cloud: Cloud, _: str | None, props: Props) -> None:
    from . import origin_authority

    if origin_authority.parsed_request(props["csr"]) is None:
        raise api_error(
            1006, "Failed to validate requested hostname: the certificate signing request cannot be parsed", path=_PATH
        )
    zones = sorted(rules.zones(cloud).values())
    for host in props["hostnames"]:
        if not _of_account(host, zones):
            reason = "This zone is either not part of your account, or you do not have access to it."
            raise api_error(1010, f"Failed to validate requested hostname {host}: {reason}", path=_PATH)


def _of_account(host: str, zones: list[str]) -> bool:
    plain = host.removeprefix("*.")
    return "*" not in plain and any(plain == zone or plain.endswith(f".{zone}") for zone in zones)


def _create(cloud: Cloud, props: Props) -> Made:
    from . import origin_authority

    authority = origin_authority.authority(cloud.state.own)
    request = origin_authority.parsed_request(props["csr"])
    if request is None:
        raise ApiError("the certificate signing request cannot be parsed")
    certificate, expires = origin_authority.signed(
        authority, request, props["hostnames"], int(props["requestedValidity"])
    )
    # The API's ids of these certificates are numbers of 48 digits.
    return Made(
        str(int(rules.new_id() + rules.new_id()[:8], 16))[:48], {"certificate": certificate, "expiresOn": expires}
    )


KINDS: Final = (
    Kind(
        type=_TYPE,
        dialect="framework",
        create=_create,
        replaces=frozenset({"csr", "hostnames", "requestType", "requestedValidity"}),
        defaults={"requestedValidity": 5475},
        admit=_admit,
        key=rules.last_part,
    ),
)
