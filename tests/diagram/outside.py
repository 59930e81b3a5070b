"""What the apps call outside the cluster: policies know only the port, the apps' configuration tells who is behind it."""

from collections.abc import Iterator, Mapping

from tests.diagram.d2 import box, table
from tests.unit.manifests import Object

HTTPS = 443
DIRECT, POOLER = "DB_DIRECT_HOST", "DB_HOST"


def called(port: int, pod: Object, environment: Mapping[str, str]) -> str:
    """The box that a pod reaches by this port of the internet; fails where nothing in the configuration explains it."""
    if port == int(environment["DB_PORT"]):
        named = {
            one["valueFrom"]["configMapKeyRef"]["key"]
            for one in pod.get("env", [])
            if "configMapKeyRef" in one.get("valueFrom", {})
        }
        # One that names the direct host itself does not take the other, which whoever reads the whole map does.
        return DIRECT if DIRECT in named else POOLER
    if port == int(environment["EMAIL_PORT"]):
        return "mail"
    assert port == HTTPS, f"a policy opens port {port} of the internet, and no configuration tells for whom"
    return "https"


def boxes(environment: Mapping[str, str]) -> Iterator[str]:
    """All of them."""
    pooled = "-pooler" in environment[POOLER]
    yield box(POOLER, "Neon\npooler" if pooled else "Neon\ndirect host,\napps", stores=True)
    yield box(DIRECT, "Neon\ndirect host", stores=True)
    yield box("mail", environment["EMAIL_HOST"])
    yield from table("https", "HTTPS", list(_over_https(environment)))


def _over_https(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield environment["B2_ENDPOINT"], "uploads"
    if environment["FEATURE_PUSH_ENABLED"] == "true":
        yield "Apple", "push, sandbox" if environment["APNS_USE_SANDBOX"] == "true" else "push"
    if collector := environment.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        yield collector.removeprefix("https://"), "traces"
