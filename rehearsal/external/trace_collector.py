"""Jaeger at the URL in the settings, as the server outside of the cluster that stores its traces."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlsplit

import bcrypt
import requests

from infra.settings.traces import TRACES_PATH, TracesSettings
from rehearsal import pki
from rehearsal.external.reverse_proxy import traefik_command
from rehearsal.external.server import TIMEOUT_SECONDS, ExternalServer
from rehearsal.external_authority import external_authority
from tools.cache import executable

JAEGER = "jaeger"
OTLP_PORT, QUERY_PORT, *UNUSED_PORTS = range(24317, 24324)
"""Ports of Jaeger at the address of the server. Its own port numbers could be that of the URL."""
UNUSED = ("admin.http", "collector.http-server", "collector.grpc-server", "collector.otlp.grpc", "query.grpc-server")
"""Servers of Jaeger that nothing uses. By default they would listen on all addresses of the machine."""
MAX_TRACES = 10_000


@dataclass(frozen=True, kw_only=True)
class Span:
    """A span that arrived, with its attributes and those of its resource."""

    trace: str
    service: str
    operation: str
    attributes: Mapping[str, str]
    resource: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class TraceCollector(ExternalServer):
    """Jaeger, and Traefik in front of it for TLS and basic authentication, which Jaeger does not have.

    Jaeger stores the traces in memory: a stop deletes them.
    """

    name: ClassVar[str] = "trace-collector"
    settings: TracesSettings
    password: str = field(repr=False)

    @property
    def host(self) -> str:
        return urlsplit(self.settings.url).hostname or ""

    @property
    def port(self) -> int:
        return self.settings.port

    @property
    def rule(self) -> str:
        return f"Path(`{self._path}`)"

    def start(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Without the variable, Jaeger sends its own traces to another port of the machine, also while it ends.
        self._run(self.jaeger(), name=JAEGER, OTEL_TRACES_SAMPLER="always_off")
        super().start()

    def spans(self, service: str, **attributes: str) -> Sequence[Span]:
        """The spans of a service, and the other spans of their traces. Only traces with these attributes.

        Raises an OSError while the server is stopped.
        """
        parameters = {"service": service, "limit": "1000", "tags": json.dumps(attributes)}
        return [span for trace in self._query("traces", parameters)["data"] for span in _spans(trace)]

    def jaeger(self) -> list[str]:
        """The command line of Jaeger."""
        listening = {"collector.otlp.http": OTLP_PORT, "query.http-server": QUERY_PORT}
        listening |= dict(zip(UNUSED, UNUSED_PORTS, strict=True))
        return [
            str(executable("jaeger", "jaeger-all-in-one")),
            *(f"--{server}.host-port={self.address}:{port}" for server, port in listening.items()),
            f"--memory.max-traces={MAX_TRACES}",
        ]

    def command(self, certificate: pki.KeyPair) -> list[str]:
        # The default cost takes a third of a second for each request.
        digest = bcrypt.hashpw(self.password.encode(), bcrypt.gensalt(rounds=5)).decode()
        pki.write_private(self.folder / "users", f"{self.settings.username}:{digest}\n".encode())
        return traefik_command(self.folder, certificate, addresses=[f"{self.address}:{self.port}"], http=self._routes())

    def probe(self) -> None:
        self._query("services", {})
        with requests.Session() as session:
            session.trust_env = False
            response = session.post(
                f"https://{self.address}:{self.port}{self._path}",
                data=b"",
                headers={"Content-Type": "application/x-protobuf"},
                auth=(self.settings.username, self.password),
                verify=str(external_authority().files.certificate),
                timeout=TIMEOUT_SECONDS,
            )
        response.raise_for_status()

    @property
    def _path(self) -> str:
        return urlsplit(self.settings.url).path + TRACES_PATH

    def _routes(self) -> Mapping[str, object]:
        """Traefik's configuration: the one path to which OpenTelemetry SDKs send traces."""
        router = {"rule": self.rule, "service": JAEGER, "middlewares": ["user", "path"], "tls": {}}
        middlewares = {
            "user": {"basicAuth": {"usersFile": str(self.folder / "users")}},
            "path": {"replacePath": {"path": TRACES_PATH}},
        }
        server = {"url": f"http://{self.address}:{OTLP_PORT}"}
        return {
            "routers": {JAEGER: router},
            "middlewares": middlewares,
            "services": {JAEGER: {"loadBalancer": {"servers": [server]}}},
        }

    def _query(self, path: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        with requests.Session() as session:
            # No proxy.
            session.trust_env = False
            response = session.get(
                f"http://{self.address}:{QUERY_PORT}/api/{path}", params=dict(parameters), timeout=TIMEOUT_SECONDS
            )
            response.raise_for_status()
            content: Mapping[str, Any] = response.json()
            return content


def _spans(trace: Mapping[str, Any]) -> Sequence[Span]:
    return [
        Span(
            trace=trace["traceID"],
            service=process["serviceName"],
            operation=span["operationName"],
            attributes=_tags(span),
            resource=_tags(process),
        )
        for span in trace["spans"]
        if (process := trace["processes"][span["processID"]])
    ]


def _tags(item: Mapping[str, Any]) -> Mapping[str, str]:
    return {tag["key"]: str(tag["value"]) for tag in item.get("tags") or ()}
