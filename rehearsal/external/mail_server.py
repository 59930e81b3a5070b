"""Mailpit at the mail server's name in the settings. It requires TLS and a login, and keeps all mails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

import requests

from rehearsal import pki
from rehearsal.external.server import TIMEOUT_SECONDS, ExternalServer
from tools.cache import executable

API_PORT = 8025
"""The port of Mailpit's HTTP API, at the same address as SMTP."""
SMTPS_PORT = 465
"""On this port, a connection begins with TLS. On all others, it begins with STARTTLS."""


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail that was received."""

    subject: str
    sender: str
    recipients: Sequence[str]
    received: datetime
    text: str


@dataclass(frozen=True, kw_only=True)
class MailServer(ExternalServer):
    """Mailpit with one account."""

    name: ClassVar[str] = "mailpit"
    hostname: str
    port: int
    user: str
    password: str = field(repr=False)

    @property
    def host(self) -> str:
        return self.hostname

    def mails(self) -> Sequence[Mail]:
        """All mails, the oldest first. Raises an OSError while the server is stopped."""
        summaries = self._get("api/v1/messages?limit=1000")["messages"]
        return [self._mail(summary) for summary in reversed(summaries)]

    def command(self, certificate: pki.KeyPair) -> list[str]:
        accounts = self.folder / "accounts"
        pki.write_private(accounts, f"{self.user}:{self.password}\n".encode())
        return [
            str(executable("mailpit")),
            f"--smtp={self.address}:{self.port}",
            "--smtp-require-tls" if self.port == SMTPS_PORT else "--smtp-require-starttls",
            f"--smtp-tls-cert={certificate.certificate}",
            f"--smtp-tls-key={certificate.key}",
            f"--smtp-auth-file={accounts}",
            # The world's network has no DNS server.
            "--smtp-disable-rdns",
            "--disable-version-check",
            f"--listen={self.address}:{API_PORT}",
            f"--database={self.folder / 'mails.db'}",
        ]

    def probe(self) -> None:
        self._request("readyz")

    def _mail(self, summary: Mapping[str, Any]) -> Mail:
        message = self._get(f"api/v1/message/{summary['ID']}")
        return Mail(
            subject=message["Subject"],
            sender=message["From"]["Address"],
            recipients=[recipient["Address"] for recipient in message["To"]],
            received=datetime.fromisoformat(summary["Created"]),
            text=message["Text"],
        )

    def _get(self, path: str) -> Mapping[str, Any]:
        content: Mapping[str, Any] = self._request(path).json()
        return content

    def _request(self, path: str) -> requests.Response:
        with requests.Session() as session:
            # No proxy.
            session.trust_env = False
            response = session.get(f"http://{self.address}:{API_PORT}/{path}", timeout=TIMEOUT_SECONDS)
            response.raise_for_status()
            return response
