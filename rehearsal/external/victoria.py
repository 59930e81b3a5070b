"""A server of VictoriaMetrics, for metrics or logs, at the URL in the settings."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import requests

from infra.settings.remote_write import RemoteWrite
from rehearsal import pki
from rehearsal.external.server import TIMEOUT_SECONDS, ExternalServer
from rehearsal.external_authority import external_authority

MEMORY = "256MiB"
"""The memory for caches. The default is 60 % of the machine's memory, which the nodes of a world share."""


@dataclass(frozen=True, kw_only=True)
class VictoriaServer(ExternalServer):
    """A server behind TLS and basic authentication."""

    settings: RemoteWrite
    password: str = field(repr=False)

    @property
    @abstractmethod
    def program(self) -> Path:
        """The executable."""

    @property
    def host(self) -> str:
        return urlsplit(self.settings.url).hostname or ""

    @property
    def port(self) -> int:
        return self.settings.port

    @property
    def prefix(self) -> str:
        """The path of the URL, without a slash at its end."""
        return urlsplit(self.settings.url).path.rstrip("/")

    @property
    def rule(self) -> str:
        """Traefik's rule for the requests of this server, if another one has the same host name."""
        return f"PathPrefix(`{self.prefix}/`)"

    def command(self, certificate: pki.KeyPair) -> list[str]:
        password = self.folder / "password"
        pki.write_private(password, self.password.encode())
        return [
            str(self.program),
            f"-httpListenAddr={self.address}:{self.port}",
            "-tls",
            f"-tlsCertFile={certificate.certificate}",
            f"-tlsKeyFile={certificate.key}",
            f"-httpAuth.username={self.settings.username}",
            f"-httpAuth.password=file://{password}",
            f"-http.pathPrefix={self.prefix}",
            f"-storageDataPath={self.folder / 'data'}",
            f"-memory.allowedBytes={MEMORY}",
        ]

    def probe(self) -> None:
        self.send("GET", "/health", {}).raise_for_status()

    def send(
        self, method: str, path: str, parameters: Mapping[str, str] | bytes, body: bytes = b"", content_type: str = ""
    ) -> requests.Response:
        """Sends a request as the user of the settings. Raises a RequestException."""
        with requests.Session() as session:
            # No proxy, and no credentials of ~/.netrc.
            session.trust_env = False
            return session.request(
                method,
                # By address, which the certificate contains too: outside of the cluster, the name leads to production.
                f"https://{self.address}:{self.port}{self.prefix}{path}",
                params=parameters if isinstance(parameters, bytes) else dict(parameters),
                data=body,
                headers={"Content-Type": content_type} if content_type else {},
                auth=(self.settings.username, self.password),
                verify=str(external_authority().files.certificate),
                timeout=TIMEOUT_SECONDS,
            )
