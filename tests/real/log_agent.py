"""vlagent with the arguments of its pod, next to an API server that only lists pods and to a VictoriaLogs.

They run on this machine, without containers: what vlagent sends is the same, and a test takes seconds.
"""

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
import yaml

from infra.cluster.admission import LOG_FILES, LOG_STATE
from infra.logs.vlagent import CREDENTIALS
from infra.machines.k3s import AUDIT_LOG
from tests.real.standins import free_port
from tests.retry import eventually
from tests.unit.capture import Capture
from tools.cache import executable

NODE = "node-1"
TIME = "2026-11-26T12:00:00.000000000Z"
LOCALHOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container with its log. The pod and the container have the same name."""

    namespace: str
    name: str
    lines: Sequence[str]

    @property
    def pod(self) -> Mapping[str, Any]:
        status = {"name": self.name, "containerID": f"containerd://{self.name}-id"}
        return {
            "metadata": {"name": self.name, "namespace": self.namespace, "resourceVersion": "1"},
            "spec": {"nodeName": NODE, "containers": [{"name": self.name}]},
            "status": {"podIP": "10.42.0.9", "containerStatuses": [status]},
        }

    def write(self, folder: Path) -> None:
        """Writes the log in the format of containerd, to which the kubelet links."""
        file = folder / "pods" / f"{self.namespace}_{self.name}" / "0.log"
        file.parent.mkdir(parents=True)
        file.write_text("".join(f"{TIME} stdout F {line}\n" for line in self.lines))
        links = folder / "containers"
        links.mkdir(exist_ok=True)
        (links / f"{self.name}_{self.namespace}_{self.name}-{self.name}-id.log").symlink_to(file)


class Agent:
    """vlagent and VictoriaLogs in a folder."""

    def __init__(self, folder: Path, program: Capture, containers: Sequence[Container]) -> None:
        self._folder = folder
        self._containers = containers
        self._database = f"http://{LOCALHOST}:{free_port()}"
        (container,) = program.resource("DaemonSet", "vlagent").inputs["spec"]["template"]["spec"]["containers"]
        url = next(argument for argument in container["args"] if "remoteWrite.url=" in argument)
        paths = {path: str(self.path(path)) for path in (LOG_FILES, LOG_STATE, CREDENTIALS, str(AUDIT_LOG.parent))}
        self._arguments = [f"--remoteWrite.url={self._database}/insert/native"]
        for argument in container["args"]:
            if argument != url and "httpListenAddr" not in argument:
                for path, local in paths.items():
                    argument = argument.replace(path, local)  # noqa: PLW2901
                self._arguments.append(argument)

    def path(self, path: str) -> Path:
        """The path on this machine that replaces one of the node."""
        return self._folder / "root" / path.lstrip("/")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Runs vlagent and VictoriaLogs."""
        with self.database(), self.collecting():
            yield

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Runs vlagent."""
        for path in (LOG_FILES, LOG_STATE, CREDENTIALS, str(AUDIT_LOG.parent)):
            self.path(path).mkdir(parents=True, exist_ok=True)
        for key in ("username", "password"):
            (self.path(CREDENTIALS) / key).write_text(key)
        if not (self.path(LOG_FILES) / "containers").exists():
            for container in self._containers:
                container.write(self.path(LOG_FILES))
        with ExitStack() as stack:
            kubeconfig = self._folder / "kubeconfig"
            kubeconfig.write_text(yaml.safe_dump(_kubeconfig(stack.enter_context(_api_server(self._containers)))))
            environment = {"KUBECONFIG": str(kubeconfig), "NODE_NAME": NODE}
            listen = f"--httpListenAddr={LOCALHOST}:{free_port()}"
            stack.enter_context(self._process("vlagent", [*self._arguments, listen], environment))
            yield

    @contextmanager
    def database(self) -> Iterator[None]:
        """Runs VictoriaLogs with the lines that it had."""
        data = f"-storageDataPath={self._folder / 'data'}"
        listen = f"-httpListenAddr={urlsplit(self._database).netloc}"
        with self._process("victoria-logs", [data, listen, "-retentionPeriod=100y"], {}):
            eventually(lambda: requests.get(f"{self._database}/health", timeout=5).raise_for_status(), seconds=10)
            yield

    def lines(self, count: int) -> Sequence[Mapping[str, str]]:
        """The lines in VictoriaLogs, once there are so many."""

        def arrived() -> Sequence[Mapping[str, str]]:
            response = requests.get(f"{self._database}/select/logsql/query", params={"query": "*"}, timeout=5)
            lines = [json.loads(line) for line in response.text.splitlines()]
            assert len(lines) >= count, lines
            return lines

        return eventually(arrived, seconds=10)

    def assert_unsent(self) -> None:
        """vlagent has tried to send lines and found no server."""
        assert "couldn't send a block" in (self._folder / "vlagent.log").read_text()

    @contextmanager
    def _process(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Iterator[None]:
        with (self._folder / f"{name}.log").open("a") as log:
            process = subprocess.Popen(
                [executable("victorialogs", name), *arguments], env=dict(environment), stdout=log, stderr=log
            )
            try:
                yield
            finally:
                process.terminate()
                process.wait(timeout=20)


def _kubeconfig(server: str) -> Mapping[str, Any]:
    return {
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": server}}],
        "users": [{"name": "test", "user": {"token": "token"}}],
    }


@contextmanager
def _api_server(containers: Sequence[Container]) -> Iterator[str]:
    """An API server with these pods on one node. Yields its URL."""
    node = {"metadata": {"name": NODE}}
    namespaces = [{"metadata": {"name": name}} for name in {container.namespace for container in containers}]
    answers: Mapping[str, object] = {
        "/api/v1/nodes": {"items": [node]},
        f"/api/v1/nodes/{NODE}": node,
        "/api/v1/namespaces": {"items": namespaces},
        "/api/v1/pods": {"items": [container.pod for container in containers], "metadata": {"resourceVersion": "1"}},
    }
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            self.send_response(200)
            self.end_headers()
            if "watch" in parse_qs(url.query):
                ended.wait()
            else:
                self.wfile.write(json.dumps(answers[url.path]).encode())

        def log_message(self, *_: object) -> None:
            """Prints nothing."""

    server = ThreadingHTTPServer((LOCALHOST, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{LOCALHOST}:{server.server_port}"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
