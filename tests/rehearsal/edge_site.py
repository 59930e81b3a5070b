"""A site that a real Traefik serves, and requests to it."""

import itertools
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rehearsal import pki
from rehearsal.traefik.ingress import IngressController
from rehearsal.world.world import World
from tests.rehearsal.edge_client import EdgeClient, Response, origin_ca, uploaded_certificate
from tests.rehearsal.templates import INGRESS
from tests.retry import attempts, eventually

API, APEX, ADMIN, APP = "api.myhoneydue.com", "myhoneydue.com", "admin.myhoneydue.com", "app.myhoneydue.com"
REFUSED = (ssl.SSLError, ConnectionError)

_client_addresses = (f"198.51.{number // 256}.{number % 256}" for number in itertools.count(1))


def new_client() -> str:
    """An unused client address. Each test has its own, so that they do not share a rate limit."""
    return next(_client_addresses)


def request(client: EdgeClient, host: str, path: str = "/", **headers: str) -> Response:
    """Sends a request of a new client."""
    return client.get(host, path, **{"CF_Connecting_IP": new_client(), **headers})


def status_of(response: Response, expected: int) -> None:
    """Checks the status of a response."""
    assert response.status == expected


@dataclass(frozen=True, kw_only=True)
class Site:
    """A world with the applied program, Traefik, and a client that connects as Cloudflare does."""

    world: World
    ingress: IngressController
    cloudflare: EdgeClient

    def access_log_entry(self, path: str) -> dict[str, Any]:
        """The entry of the access log for a path. Retries, as Traefik writes it after the response."""

        def read() -> dict[str, Any]:
            entries = map(json.loads, self.ingress.log.read_text().splitlines())
            (entry,) = (entry for entry in entries if entry.get("RequestPath") == path)
            result: dict[str, Any] = entry
            return result

        # ValueError: the entry is missing or incomplete.
        return attempts(errors=(ValueError,))(read)


def accepts(site: Site, certificate: Path | None) -> bool:
    """Whether Traefik serves a client that presents this certificate."""
    try:
        return request(replace(site.cloudflare, certificate=certificate), API).status == 200
    except REFUSED:
        return False


def pem_file(folder: Path, pair: pki.KeyPair) -> Path:
    """A certificate and its key in one file."""
    file = folder / f"{pair.certificate.stem}.pem"
    file.write_bytes(pair.certificate.read_bytes() + pair.key.read_bytes())
    return file


def requests_in_log(site: Site, count: int) -> None:
    """Checks the number of requests with Cloudflare's header, as Traefik writes an entry after the response."""
    assert site.ingress.log.read_text().count('"request_Cf-Ray"') == count


@contextmanager
def serve_site(folder: Path) -> Iterator[Site]:
    """Serves a copy of the world with the applied program, until the block ends."""
    with (
        INGRESS.clone(folder / "world") as world,
        IngressController(world.layout, world.kubectl_client()) as ingress,
    ):
        cloudflare = EdgeClient(
            port=ingress.ports["websecure"],
            trusted_ca=origin_ca(world),
            certificate=uploaded_certificate(world, folder),
        )

        def all_hosts_are_served() -> None:
            assert {request(cloudflare, host).status for host in (API, APEX, ADMIN, APP)} == {200}

        eventually(all_hosts_are_served)
        yield Site(world=world, ingress=ingress, cloudflare=cloudflare)
