"""Traefik as a reverse proxy in front of servers outside of the cluster."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import requests

from rehearsal import pki
from rehearsal.external.server import TIMEOUT_SECONDS, ExternalServer
from rehearsal.external_authority import external_authority
from tools.cache import executable

AUTHORITY = "authority"


def traefik_command(
    folder: Path, certificate: pki.KeyPair, *, addresses: Iterable[str], http: Mapping[str, object]
) -> list[str]:
    """The command line of a Traefik that serves TLS at these addresses. `http` is its dynamic configuration."""
    files = {"certFile": str(certificate.certificate), "keyFile": str(certificate.key)}
    routes = folder / "routes.yaml"
    # JSON is YAML.
    routes.write_text(json.dumps({"http": http, "tls": {"stores": {"default": {"defaultCertificate": files}}}}))
    return [
        str(executable("traefik")),
        *(f"--entryPoints.https{number}.address={address}" for number, address in enumerate(addresses)),
        f"--providers.file.filename={routes}",
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
    ]


class Backend(Protocol):
    """A server that may share its host name with others. `rule` is Traefik's rule for the requests that it serves."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def rule(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Gateway(ExternalServer):
    """One host name for several servers, each with an address of its own, as at obs: the path selects the server."""

    name: ClassVar[str] = "gateway"
    hostname: str
    backends: Sequence[Backend]

    @property
    def host(self) -> str:
        return self.hostname

    def command(self, certificate: pki.KeyPair) -> list[str]:
        authority = str(external_authority().files.certificate)
        http = {
            # By default, the longest rule has priority.
            "routers": {item.name: {"rule": item.rule, "service": item.name, "tls": {}} for item in self.backends},
            "services": {
                item.name: {
                    "loadBalancer": {
                        "servers": [{"url": f"https://{item.address}:{item.port}"}],
                        "serversTransport": AUTHORITY,
                    }
                }
                for item in self.backends
            },
            "serversTransports": {AUTHORITY: {"rootCAs": [authority]}},
        }
        addresses = [f"{self.address}:{port}" for port in self._ports]
        return traefik_command(self.folder, certificate, addresses=addresses, http=http)

    def probe(self) -> None:
        with requests.Session() as session:
            # No proxy.
            session.trust_env = False
            session.get(
                f"https://{self.address}:{self._ports[0]}/",
                verify=str(external_authority().files.certificate),
                timeout=TIMEOUT_SECONDS,
            )

    @property
    def _ports(self) -> Sequence[int]:
        return sorted({item.port for item in self.backends})
