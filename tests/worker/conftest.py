"""Fixtures: the runtime, and servers that the Worker sends requests to."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from rehearsal.pki import CertificateAuthority
from tests.worker.runtime import Check, Runtime, Worker, bindings, runtime
from tests.worker.servers import Server, serve


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """The certificate authority that the runtime trusts."""
    return CertificateAuthority.create(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="session")
def miniflare(tmp_path_factory: pytest.TempPathFactory, authority: CertificateAuthority) -> Iterator[Runtime]:
    with runtime(tmp_path_factory.mktemp("runtime"), trusted_ca=authority.files.certificate) as process:
        yield process


class Start(Protocol):
    """Starts the Worker with the state of the test."""

    def __call__(
        self,
        *checks: Check,
        failures: int = 2,
        timeout_ms: int = 10_000,
        mail: Mapping[str, str] | None = None,
        secrets: Mapping[str, str | None] | None = None,
        script: str | None = None,
    ) -> Worker: ...


@pytest.fixture
def start(miniflare: Runtime, tmp_path: Path, webhook: Server) -> Start:
    """A function that starts the Worker. Without other secrets, it has the URL of the webhook."""

    def start_worker(
        *checks: Check,
        failures: int = 2,
        timeout_ms: int = 10_000,
        mail: Mapping[str, str] | None = None,
        secrets: Mapping[str, str | None] | None = None,
        script: str | None = None,
    ) -> Worker:
        values = bindings(
            checks,
            failures=failures,
            timeout_ms=timeout_ms,
            mail=mail,
            secrets={"WEBHOOK_URL": webhook.url} if secrets is None else secrets,
        )
        return miniflare.start(values, tmp_path / "state", script=script)

    return start_worker


@pytest.fixture
def site() -> Iterator[Server]:
    """A site that the Worker checks."""
    with serve() as server:
        yield server


@pytest.fixture
def webhook() -> Iterator[Server]:
    with serve() as server:
        yield server


@pytest.fixture
def heartbeat() -> Iterator[Server]:
    with serve() as server:
        yield server
