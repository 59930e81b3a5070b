"""The kubeconfig of a bootstrapped cluster uses the first ready API server. The tests run HTTPS servers on loopback."""

import re
import secrets
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pulumi
import pytest
import yaml

from infra.cluster import kubeconfig
from infra.cluster.kubeconfig import kubeconfig_yaml, wait_for_server
from infra.kubeconfig import (
    PORT,
    REQUIRED_PATHS,
    Credentials,
    NotReadyError,
    credentials_of,
    first_ready,
    inline_kubeconfig,
)
from rehearsal import pki


class Ready(BaseHTTPRequestHandler):
    """An API server that is ready."""

    status = 200
    served: Sequence[str] = REQUIRED_PATHS

    def do_GET(self) -> None:
        self.send_response(self.status if self.path in self.served else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


class Unready(Ready):
    """An API server whose etcd is unavailable."""

    status = 500


class WithoutTraefik(Ready):
    """An API server before k3s has installed Traefik."""

    served = ("/readyz",)


@pytest.fixture
def nodes() -> Mapping[str, str]:
    """Addresses of one test.

    The port is fixed. Another run of the tests may use it, and a process that is being forked keeps a closed listener
    of the previous test open for a moment.
    """
    network = f"{secrets.randbelow(256)}.{secrets.randbelow(254) + 1}"
    return {"first": f"127.86.{network}", "second": f"127.87.{network}"}


@pytest.fixture
def administrator(tmp_path: Path, nodes: Mapping[str, str]) -> Credentials:
    ca = pki.CertificateAuthority.create(tmp_path, "ca")
    ca.issue(tmp_path, "server", common_name="server", hosts=nodes.values())
    client = ca.issue(tmp_path, "admin", common_name="system:admin")
    pki.CertificateAuthority.create(tmp_path, "other-ca").issue(
        tmp_path, "other-server", common_name="server", hosts=nodes.values()
    )
    return Credentials(
        ca_certificate=ca.files.certificate.read_text(),
        client_certificate=client.certificate.read_text(),
        client_key=client.key.read_text(),
    )


@contextmanager
def api_server(folder: Path, address: str, handler: type[Ready] = Ready, *, name: str = "server") -> Iterator[None]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "ca.crt")
    tls.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
    tls.verify_mode = ssl.CERT_REQUIRED
    with ThreadingHTTPServer((address, PORT), handler) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield
        server.shutdown()


@pytest.mark.parametrize(
    ("running", "expected"),
    [
        ([("first", Ready), ("second", Ready)], "first"),
        ([("second", Ready)], "second"),
        ([("first", Unready), ("second", Ready)], "second"),
        ([("first", WithoutTraefik), ("second", Ready)], "second"),
    ],
)
def test_the_kubeconfig_uses_the_first_ready_server(
    tmp_path: Path,
    administrator: Credentials,
    nodes: Mapping[str, str],
    running: Sequence[tuple[str, type[Ready]]],
    expected: str,
) -> None:
    with ExitStack() as servers:
        for alias, handler in running:
            servers.enter_context(api_server(tmp_path, nodes[alias], handler))
        assert first_ready(nodes, administrator) == nodes[expected]
        server = yaml.safe_load(kubeconfig_yaml(administrator, addresses=nodes, context="default"))["clusters"][0][
            "cluster"
        ]["server"]
        assert server == f"https://{nodes[expected]}:6443"


def test_a_server_with_a_certificate_of_another_ca_is_not_ready(
    tmp_path: Path, administrator: Credentials, nodes: Mapping[str, str]
) -> None:
    with api_server(tmp_path, nodes["first"], name="other-server"), pytest.raises(NotReadyError):
        first_ready(nodes, administrator)


def test_up_waits_and_its_error_has_the_addresses_and_what_to_check(
    administrator: Credentials, nodes: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubeconfig, "FIRST_BOOT_SECONDS", 0)
    addresses = re.escape(f"first ({nodes['first']}), second ({nodes['second']})")
    with pytest.raises(pulumi.RunError, match=rf"{addresses}.*honeydue:access\.operators.*journalctl -u k3s"):
        wait_for_server(nodes, administrator)


def test_a_preview_does_not_wait(
    administrator: Credentials, nodes: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    assert wait_for_server(nodes, administrator) == nodes["first"]


def test_the_credentials_of_a_kubeconfig_are_those_that_were_written(administrator: Credentials) -> None:
    kubeconfig = inline_kubeconfig(administrator, server="https://203.0.113.1:6443", context="default")
    assert credentials_of(kubeconfig) == administrator
