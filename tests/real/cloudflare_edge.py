"""A stand-in for Cloudflare's edge: it terminates TLS, and requests the nodes with the client certificate."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from rehearsal.pki import CertificateAuthority
from tests.real.hosts import CLOUDFLARE_ADDRESS, resolving
from tests.rehearsal.edge_client import EdgeClient
from tests.worker.servers import Request, Response, Server, serve

VISITOR_ADDRESS = "198.51.100.24"
ORIGIN_UNREACHABLE = 521
"""Cloudflare's own status."""
ERRORS = (OSError, TimeoutError)


class Edge(Server):
    """Forwards each request to the first node that accepts the connection."""

    def __init__(self, url: str, nodes: Sequence[EdgeClient]) -> None:
        super().__init__(url)
        self._nodes = nodes

    def respond(self, request: Request) -> Response:
        super().respond(request)
        host = request.headers["Host"]
        if request.method != "GET":
            return Response(status=HTTPStatus.METHOD_NOT_ALLOWED)
        for node in self._nodes:
            try:
                response = node.get(host, request.path, CF_Connecting_IP=VISITOR_ADDRESS)
            except ERRORS:
                continue
            return Response(status=response.status, body=response.body.decode(errors="replace"))
        return Response(status=ORIGIN_UNREACHABLE)


@dataclass(frozen=True, kw_only=True)
class EdgeFiles:
    """What a client needs to reach the stand-in under the host names of the site."""

    edge: Edge
    trusted_ca: Path
    command: Sequence[str]
    """A prefix of a command, which then resolves the host names to the stand-in."""


@contextmanager
def cloudflare_edge(nodes: Sequence[EdgeClient], folder: Path, *, hosts: Sequence[str]) -> Iterator[EdgeFiles]:
    """Runs the stand-in at CLOUDFLARE_ADDRESS, which must be an address of this machine."""
    authority = CertificateAuthority.create(folder, "public-authority")
    certificate = authority.issue(folder, "edge", common_name=hosts[0], hosts=hosts)
    command = resolving(dict.fromkeys(hosts, CLOUDFLARE_ADDRESS), folder)

    def create(url: str) -> Any:
        return Edge(url, nodes)

    with serve(create, certificate=certificate, host=hosts[0], address=(CLOUDFLARE_ADDRESS, 443)) as edge:
        yield EdgeFiles(edge=edge, trusted_ca=authority.files.certificate, command=command)
