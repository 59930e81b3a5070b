"""Runs the scripts of a node with a folder as root, peers on loopback, and stand-ins for `k3s` and `ip`."""

import base64
import hashlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from rehearsal.pki import CertificateAuthority
from tests.recipes import ROOT

SCRIPTS = ROOT / "infra/machines/files"
SECONDS = 30
"""Timeout of a script. No script of these tests needs as long."""
PEER_ADDRESSES = ("127.0.6.2", "127.0.6.3")
INTERFACES = '[{},{"ifname":"enp7s0","addr_info":[{"local":"127.0.6.1"}]}]'
"""The output of `ip -json address` of a node."""


@dataclass(frozen=True, kw_only=True)
class K3s:
    """The part of a k3s cluster that a joining node requests."""

    folder: Path
    password: str
    server: CertificateAuthority
    clients: CertificateAuthority
    config: bytes = b'{"DisableServiceLB": true}'
    """The configuration that the servers of the cluster share."""

    @classmethod
    def create(cls, folder: Path) -> "K3s":
        folder.mkdir()
        return cls(
            folder=folder,
            # Contains each character that YAML, curl's configuration file and the shell interpret.
            password="a pass'word \"of\" any\\body's $HOME",
            server=CertificateAuthority.create(folder, "server-ca"),
            clients=CertificateAuthority.create(folder, "client-ca"),
        )

    @property
    def token(self) -> str:
        return f"K10{hashlib.sha256(self.server.files.certificate.read_bytes()).hexdigest()}::server:{self.password}"

    def respond(self, path: str, authorization: str | None) -> bytes | None:
        """The response of a server of this cluster, or None for 401."""
        server, node = (
            "Basic " + base64.b64encode(f"{user}:{self.password}".encode()).decode() for user in ("server", "node")
        )
        match path:
            case "/cacerts":
                return self.server.files.certificate.read_bytes()
            case "/ping":
                return b"pong"
            case "/v1-k3s/config" if authorization == node:
                return self.config
            case "/v1-k3s/server-bootstrap" if authorization == server:
                files = {"ClientCA": self.clients.files.certificate, "ClientCAKey": self.clients.files.key}
                content = {
                    name: {"Content": base64.b64encode(file.read_bytes()).decode()} for name, file in files.items()
                }
                return json.dumps(content).encode()
            case _:
                return None


@dataclass(kw_only=True)
class Peer:
    """An address that refuses connections until `serve` or `hang` is called."""

    address: str
    bound: socket.socket

    @property
    def port(self) -> int:
        return int(self.bound.getsockname()[1])

    def hang(self) -> None:
        """Accepts connections and never responds."""
        self.bound.listen()

    @contextmanager
    def serve(self, cluster: K3s, *, certified_by: K3s | None = None) -> Iterator[None]:
        """Responds as a server of this cluster, optionally with a certificate that another cluster issued."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = cluster.respond(self.path, self.headers["Authorization"])
                self.send_response(401 if body is None else 200)
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer((self.address, 0), Handler, bind_and_activate=False)
        server.socket.close()
        issued = (certified_by or cluster).server.issue(
            cluster.folder, self.address, common_name="k3s", hosts=[self.address]
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate, issued.key)
        self.bound.listen()
        server.socket = context.wrap_socket(self.bound, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A node: a folder as its root, and the recorded command lines of its programs."""

    root: Path
    tools: Path
    peers: Sequence[Peer] = field(default_factory=list)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def role(self) -> Path:
        return self.root / "etc/rancher/k3s/config.yaml.d/50-role.yaml"

    @property
    def settings(self) -> Mapping[str, object]:
        """The settings that k3s would read from config.yaml.d."""
        merged: dict[str, object] = {}
        for file in sorted(self.role.parent.glob("*.yaml")):
            merged |= yaml.safe_load(file.read_text())
        return merged

    @property
    def stderr(self) -> str:
        """What the scripts wrote to stderr."""
        return (self.tools / "stderr").read_text()

    @property
    def commands(self) -> str:
        """Every command line that `ps` could have shown."""
        return (self.tools / "commands").read_text()

    @property
    def kubectl(self) -> str:
        """The last command line of `k3s`, or an empty text if it was not called."""
        file = self.tools / "kubectl"
        return file.read_text() if file.exists() else ""

    def write(self, path: str, content: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def stand_in(self, name: str, script: str) -> None:
        file = self.tools / "bin" / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def start(self, script: str) -> subprocess.Popen[str]:
        """Starts a script. Its messages are appended to `stderr`."""
        environment = {
            "PATH": f"{self.tools / 'bin'}:{os.environ['PATH']}",
            "ROOT": str(self.root),
            "RUNTIME_DIRECTORY": str(self.tools / "run"),
            "CURL_HOME": str(self.tools),
            "POLL_SECONDS": "0.1",
            "PAUSE_SECONDS": "0",
            "RETRY_SECONDS": "0",
            **self.environment,
        }
        with (self.tools / "stderr").open("a") as log:
            return subprocess.Popen(["/bin/sh", SCRIPTS / f"{script}.sh"], env=environment, stderr=log, text=True)

    def run(self, script: str) -> int:
        """Runs a script and returns its exit code."""
        process = self.start(script)
        try:
            return process.wait(SECONDS)
        finally:
            process.kill()

    def left_behind(self) -> list[Path]:
        """Temporary files that a script did not remove."""
        return [*(self.tools / "run").iterdir(), *self.root.rglob("*.new"), *self.root.rglob(".k3s-install*")]


CreateNode = Callable[..., Machine]
"""The type of the fixture `create_node`: keyword arguments `role`, `cluster_init` and `token`."""


def machine(folder: Path, *, peers: Sequence[Peer] = (), environment: Mapping[str, str] | None = None) -> Machine:
    """A machine with an empty disk."""
    tools = folder / "tools"
    for name in ("bin", "run"):
        (tools / name).mkdir(parents=True)
    (tools / "commands").touch()
    # curl connects to the free port of a peer in place of 6443.
    (tools / ".curlrc").write_text(
        "".join(f'connect-to = "{peer.address}:6443:{peer.address}:{peer.port}"\n' for peer in peers)
    )
    created = Machine(root=folder / "root", tools=tools, peers=peers, environment=environment or {})
    for name in ("curl", "jq", "openssl", "timeout"):
        program = shutil.which(name)
        assert program is not None, f"{name} is needed: the node's scripts use it"
        created.stand_in(name, f'echo "{name} $*" >> {tools}/commands\nexec {program} "$@"')
    return created


def wait_for_text(read: Callable[[], str], text: str, *, times: int = 1) -> None:
    """Waits until the result of `read` contains the text this many times."""
    retry(retry=retry_if_result(lambda count: count < times), stop=stop_after_delay(SECONDS), wait=wait_fixed(0.05))(
        lambda: read().count(text)
    )()


def wait_for_message(machine: Machine, message: str) -> None:
    """Waits until the scripts have written the message to stderr."""
    wait_for_text(lambda: machine.stderr, message)


SHARED_OPTIONS = {"disable": ["servicelb"]}
"""The options of a server that follow from the configuration of the others."""


def assert_joined(node: Machine, *, through: str, token: str, options: Mapping[str, object] = SHARED_OPTIONS) -> None:
    """Asserts that the script configured k3s to join through this address."""
    assert node.settings == {"server": f"https://{through}:6443", "token": token, "flannel-iface": "enp7s0", **options}
    assert node.role.stat().st_mode & 0o777 == 0o600
    assert node.left_behind() == []
