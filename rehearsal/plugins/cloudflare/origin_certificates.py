"""Origin CA certificates. Every input replaces the certificate, so there is no update."""

from __future__ import annotations

from typing import Final

from ..client import Client
from ..kinds import EVERYTHING, Created, Kind
from ..values import Props
from .names import properties, snake


def _create(client: Client, props: Props) -> Created:
    certificate = client.post("certificates", snake(props))
    return Created(certificate["id"], properties(certificate, without=props))


def _read(client: Client, id_: str, state: Props) -> Created | None:
    certificate = client.find(f"certificates/{id_}")
    if certificate is None:
        return None
    # The real plugin never reads these two inputs from the API.
    preserved: Props = {name: state[name] for name in ("csr", "requestedValidity") if name in state}
    return Created(id_, {**properties(certificate), **preserved})


KINDS: Final = (
    Kind(
        type="cloudflare:index/originCaCertificate:OriginCaCertificate",
        dialect="framework",
        create=_create,
        read=_read,
        delete=lambda client, id_, _: client.delete(f"certificates/{id_}", missing_ok=False),
        replaces=frozenset({"csr", "hostnames", "requestType", "requestedValidity"}),
        defaults={"requestedValidity": 5475},
        recomputed=EVERYTHING,
    ),
)
