"""External services that the apps call. The network policies contain their ports, the ConfigMap their hosts."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from tests.diagram.d2 import box, table
from tests.unit.manifests import Object

HTTPS = 443
COLLECTOR = "OTEL_EXPORTER_OTLP_ENDPOINT"
DIRECT_HOST, POOLED_HOST = "DB_DIRECT_HOST", "DB_HOST"


def destination(port: int, container: Object, environment: Mapping[str, str]) -> str:
    """The box of the service that a container calls on this port.

    Raises:
        AssertionError: no value of the ConfigMap explains the port.
    """
    if port == int(environment["DB_PORT"]):
        keys = {
            variable["valueFrom"]["configMapKeyRef"]["key"]
            for variable in container.get("env", [])
            if "configMapKeyRef" in variable.get("valueFrom", {})
        }
        # The migration reads the key of the direct host. The other containers read all keys, and use DB_HOST.
        return DIRECT_HOST if DIRECT_HOST in keys else POOLED_HOST
    if port == int(environment["EMAIL_PORT"]):
        return "mail"
    collector = environment.get(COLLECTOR)
    if collector and port == urlsplit(collector).port:
        return "https"
    assert port == HTTPS, f"a network policy allows port {port} of the internet, but the ConfigMap has no host for it"
    return "https"


def boxes(environment: Mapping[str, str]) -> Iterator[str]:
    """A box for each service."""
    pooled = "-pooler" in environment[POOLED_HOST]
    yield box(POOLED_HOST, "Neon\npooler" if pooled else "Neon\ndirect host,\napps", stores=True)
    yield box(DIRECT_HOST, "Neon\ndirect host", stores=True)
    yield box("mail", environment["EMAIL_HOST"])
    yield from table("https", "HTTPS", list(_https_services(environment)))


def _https_services(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield environment["B2_ENDPOINT"], "uploads"
    if environment["FEATURE_PUSH_ENABLED"] == "true":
        yield "Apple", "push, sandbox" if environment["APNS_USE_SANDBOX"] == "true" else "push"
    if collector := environment.get(COLLECTOR):
        yield collector.removeprefix("https://"), "traces"
