"""Where a cluster that was founded here is reached: asked of real TLS servers on addresses of loopback."""

import os
import re
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pulumi
import pytest
import yaml

from infra.cluster import kubeconfig
from infra.cluster.kubeconfig import NotReadyError, first_ready, kubeconfig_yaml, wait_for_server
from infra.kubeconfig import Credentials
from rehearsal import pki

_OWN = f"{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
NODES = {"one": f"127.86.{_OWN}", "two": f"127.87.{_OWN}"}
"""This process' own: the port is not to be chosen, and another run may have it."""


class Ready(BaseHTTPRequestHandler):
    """An API server that is ready."""

    status = 200
    served: Sequence[str] = kubeconfig.REQUIRED_PATHS

    def do_GET(self) -> None:
        self.send_response(self.status if self.path in self.served else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


class Unready(Ready):
    """One whose etcd is away."""

    status = 500


class WithoutTraefik(Ready):
    """One whose k3s has not installed Traefik yet."""

    served = ("/readyz",)


@pytest.fixture
def administrator(tmp_path: Path) -> Credentials:
    authority = pki.CertificateAuthority.create(tmp_path, "ca")
    authority.issue(tmp_path, "server", common_name="server", hosts=NODES.values())
    client = authority.issue(tmp_path, "admin", common_name="system:admin")
    pki.CertificateAuthority.create(tmp_path, "stranger").issue(
        tmp_path, "strangers-server", common_name="server", hosts=NODES.values()
    )
    return Credentials(
        ca_certificate=authority.files.certificate.read_text(),
        client_certificate=client.certificate.read_text(),
        client_key=client.key.read_text(),
    )


@contextmanager
def api_server(folder: Path, address: str, handler: type[Ready] = Ready, *, name: str = "server") -> Iterator[None]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "ca.crt")
    tls.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
    tls.verify_mode = ssl.CERT_REQUIRED
    with ThreadingHTTPServer((address, kubeconfig.PORT), handler) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield
        server.shutdown()


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        ([("one", Ready), ("two", Ready)], "one"),
        ([("two", Ready)], "two"),
        ([("one", Unready), ("two", Ready)], "two"),
        ([("one", WithoutTraefik), ("two", Ready)], "two"),
    ],
)
def test_the_first_that_is_ready_is_spoken_to(
    tmp_path: Path, administrator: Credentials, standing: Sequence[tuple[str, type[Ready]]], expected: str
) -> None:
    with ExitStack() as servers:
        for alias, handler in standing:
            servers.enter_context(api_server(tmp_path, NODES[alias], handler))
        assert first_ready(NODES, administrator) == NODES[expected]
        server = yaml.safe_load(kubeconfig_yaml(administrator, addresses=NODES, context="default"))["clusters"][0][
            "cluster"
        ]["server"]
        assert server == f"https://{NODES[expected]}:6443"


def test_a_stranger_on_a_recycled_address_is_not_believed(tmp_path: Path, administrator: Credentials) -> None:
    with api_server(tmp_path, NODES["one"], name="strangers-server"), pytest.raises(NotReadyError):
        first_ready(NODES, administrator)


def test_an_up_waits_and_says_what_to_look_at(administrator: Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeconfig, "FIRST_BOOT_SECONDS", 0)
    told = re.escape(f"one ({NODES['one']}), two ({NODES['two']})")
    with pytest.raises(pulumi.RunError, match=rf"{told}.*honeydue:access\.operators.*journalctl -u k3s"):
        wait_for_server(NODES, administrator)


def test_a_preview_does_not_wait(administrator: Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    assert wait_for_server(NODES, administrator) == NODES["one"]
