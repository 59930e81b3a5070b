"""A machine without a machine: the node's own scripts run below a folder, with peers on loopback and stand-ins for `k3s` and `ip`."""

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
"""Longer than anything here takes."""


@dataclass(frozen=True, kw_only=True)
class K3s:
    """A cluster, as far as a node that wants to join it can see."""

    folder: Path
    password: str
    server: CertificateAuthority
    clients: CertificateAuthority

    @classmethod
    def create(cls, folder: Path) -> "K3s":
        folder.mkdir()
        return cls(
            folder=folder,
            # All that YAML, curl's configuration and the shell read differently.
            password="a pass'word \"of\" any\\body's $HOME",
            server=CertificateAuthority.create(folder, "server-ca"),
            clients=CertificateAuthority.create(folder, "client-ca"),
        )

    @property
    def token(self) -> str:
        return f"K10{hashlib.sha256(self.server.files.certificate.read_bytes()).hexdigest()}::server:{self.password}"

    def answer(self, path: str, authorization: str | None) -> bytes | None:
        """What a server of this cluster answers; None where it refuses."""
        login = "Basic " + base64.b64encode(f"server:{self.password}".encode()).decode()
        match path:
            case "/cacerts":
                return self.server.files.certificate.read_bytes()
            case "/ping":
                return b"pong"
            case "/v1-k3s/server-bootstrap" if authorization == login:
                files = {"ClientCA": self.clients.files.certificate, "ClientCAKey": self.clients.files.key}
                content = {
                    name: {"Content": base64.b64encode(file.read_bytes()).decode()} for name, file in files.items()
                }
                return json.dumps(content).encode()
            case _:
                return None


@dataclass(kw_only=True)
class Peer:
    """An address that answers nobody until it serves."""

    address: str
    bound: socket.socket

    @property
    def port(self) -> int:
        return int(self.bound.getsockname()[1])

    def hang(self) -> None:
        """Takes connections and never says a word."""
        self.bound.listen()

    @contextmanager
    def serve(self, cluster: K3s, *, certified_by: K3s | None = None) -> Iterator[None]:
        """Answers as a server of that cluster; with the certificate of another, when that is given."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = cluster.answer(self.path, self.headers["Authorization"])
                self.send_response(401 if body is None else 200)
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer((self.address, 0), Handler, bind_and_activate=False)
        server.socket.close()
        held = (certified_by or cluster).server.issue(
            cluster.folder, self.address, common_name="k3s", hosts=[self.address]
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(held.certificate, held.key)
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
    """One node: a folder as its root, and what its programs were called with."""

    root: Path
    tools: Path
    peers: Sequence[Peer] = field(default_factory=list)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def role(self) -> Path:
        return self.root / "etc/rancher/k3s/config.yaml.d/50-role.yaml"

    @property
    def settings(self) -> Mapping[str, object]:
        """What k3s would read of config.yaml.d."""
        merged: dict[str, object] = {}
        for file in sorted(self.role.parent.glob("*.yaml")):
            merged |= yaml.safe_load(file.read_text())
        return merged

    @property
    def said(self) -> str:
        return (self.tools / "stderr").read_text()

    @property
    def commands(self) -> str:
        """Every command line that anybody could have read in `ps`."""
        return (self.tools / "commands").read_text()

    @property
    def kubectl(self) -> str:
        """The last command line of `k3s`; nothing when it was not called."""
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
        """The script of that name, with its words going to `said`."""
        environment = {
            "PATH": f"{self.tools / 'bin'}:{os.environ['PATH']}",
            "ROOT": str(self.root),
            "RUNTIME_DIRECTORY": str(self.tools / "run"),
            "CURL_HOME": str(self.tools),
            "POLL_SECONDS": "0.1",
            "PAUSE_SECONDS": "0",
            **self.environment,
        }
        with (self.tools / "stderr").open("a") as words:
            return subprocess.Popen(["/bin/sh", SCRIPTS / f"{script}.sh"], env=environment, stderr=words, text=True)

    def run(self, script: str) -> int:
        """The script's exit code."""
        process = self.start(script)
        try:
            return process.wait(SECONDS)
        finally:
            process.kill()

    def left_behind(self) -> list[Path]:
        """Temporary files that a script did not remove."""
        return [*(self.tools / "run").iterdir(), *self.root.rglob("*.new"), *self.root.rglob(".k3s-install*")]


def machine(folder: Path, *, peers: Sequence[Peer] = (), environment: Mapping[str, str] | None = None) -> Machine:
    """A machine with nothing on it."""
    tools = folder / "tools"
    for name in ("bin", "run"):
        (tools / name).mkdir(parents=True)
    (tools / "commands").touch()
    # curl leads the peers' port 6443 to the one that was free.
    (tools / ".curlrc").write_text(
        "".join(f'connect-to = "{peer.address}:6443:{peer.address}:{peer.port}"\n' for peer in peers)
    )
    new = Machine(root=folder / "root", tools=tools, peers=peers, environment=environment or {})
    for name in ("curl", "jq", "openssl", "timeout"):
        program = shutil.which(name)
        assert program is not None, f"{name} is needed: the node's scripts use it"
        new.stand_in(name, f'echo "{name} $*" >> {tools}/commands\nexec {program} "$@"')
    return new


def until(read: Callable[[], str], words: str, *, times: int = 1) -> None:
    """Waits until these words stand there so often."""
    retry(retry=retry_if_result(lambda found: found < times), stop=stop_after_delay(SECONDS), wait=wait_fixed(0.05))(
        lambda: read().count(words)
    )()


def until_said(machine: Machine, words: str) -> None:
    """Waits until the script has said so."""
    until(lambda: machine.said, words)
