"""The path of a request: Cloudflare, the firewall, the nodes, Traefik."""

from collections.abc import Iterable, Iterator, Sequence

import yaml

from tests.diagram.d2 import arrow, box, quoted, table
from tests.unit.capture import Capture
from tests.unit.manifests import Object, of_kind

CLUSTER = "cluster"
FIREWALL, NODES, TRAEFIK = (f"{CLUSTER}.{name}" for name in ("firewall", "nodes", "traefik"))
DAYS_A_YEAR = 365
SSL_MODES = {"strict": "TLS, Full (strict)", "full": "TLS, Full", "flexible": "no TLS (Flexible)", "off": "no TLS"}
"""Labels for the values of Cloudflare's zone setting `ssl`."""
APEX = "the apex"


def short_names(hosts: Iterable[str], program: Capture) -> str:
    """The hosts without the domain, for example "admin., api., the apex"."""
    domain = min((record.inputs["name"] for record in program.resources("DnsRecord")), key=len)
    names = {host.removesuffix(domain) or APEX for host in hosts}
    return ", ".join(sorted(names, key=lambda name: (name == APEX, name)))


def cloudflare(program: Capture) -> Iterator[str]:
    """Cloudflare and its clients."""
    records = [record.inputs["name"] for record in program.resources("DnsRecord") if record.inputs["proxied"]]
    settings = {setting.inputs["settingId"]: setting.inputs["value"] for setting in program.resources("ZoneSetting")}
    to_visitors = [f"TLS ≥ {settings['min_tls_version']}"]
    if settings["always_use_https"] == "on":
        to_visitors.append("always HTTPS")
    to_nodes = [SSL_MODES[settings["ssl"]]]
    if all(pulls.inputs["enabled"] for pulls in program.resources("AuthenticatedOriginPullsSettings")):
        to_nodes.append("our client certificate")
    yield from table(
        "cloudflare",
        "Cloudflare",
        [
            (short_names(records, program), f"{len(records)} proxied records"),
            ("to visitors", ", ".join(to_visitors)),
            ("to the nodes", ", ".join(to_nodes)),
        ],
    )
    years = int(program.resource("OriginCaCertificate", "origin").inputs["requestedValidity"]) // DAYS_A_YEAR
    yield box("users", "Browsers, phones")
    yield arrow("users", "cloudflare", "HTTPS")
    yield arrow("cloudflare", FIREWALL, f"443, origin certificate of {years} years")


def machines(program: Capture) -> Iterator[str]:
    """The firewall, the operator, the nodes, and the registries of their images."""
    rules = program.resource("Firewall", "honeydue").inputs["rules"]
    yield from table(
        FIREWALL,
        "Firewall",
        [(f"{rule.get('port') or ''} {rule['protocol']}".strip(), rule["description"]) for rule in rules],
    )
    yield box("operator", "Operator")
    operator_ports = [rule["port"] for rule in rules if "operators" in rule["description"]]
    yield arrow("operator", FIREWALL, ", ".join(operator_ports))
    servers = program.resources("Server")
    types = sorted({f"{server.inputs['serverType']} in {server.inputs['location']}" for server in servers})
    rows = [(server.name, server.inputs["name"]) for server in servers]
    yield from table(NODES, f"{len(servers)} × {', '.join(types)}", rows)
    prefixes = {image.partition("/")[0] for image in program.outputs["images"].values()}
    for registry in sorted(prefix for prefix in prefixes if "." in prefix):
        yield box(quoted(registry), f"{registry}\nimages")
        yield arrow(NODES, quoted(registry), "443")


def ingress(program: Capture, objects: Sequence[Object]) -> Iterator[str]:
    """Traefik, and the app and the middlewares of each Ingress."""
    (chart,) = (item for item in of_kind(objects, "HelmChartConfig") if item["metadata"]["name"] == "traefik")
    (options,) = of_kind(objects, "TLSOption")
    ingresses = of_kind(objects, "Ingress")
    common = [
        name for name in _middlewares(ingresses[0]) if all(name in _middlewares(ingress) for ingress in ingresses)
    ]
    kind = yaml.safe_load(chart["spec"]["valuesContent"])["deployment"]["kind"]
    client_certificate = {"RequireAndVerifyClientCert": "required", "RequestClientCert": "requested"}[
        options["spec"]["clientAuth"]["clientAuthType"]
    ]
    routes = []
    for ingress in ingresses:
        hosts = short_names((rule["host"] for rule in ingress["spec"]["rules"]), program)
        more = [name for name in _middlewares(ingress) if name not in common]
        routes.append((hosts, ", ".join([f"to {_backend(ingress)[0]}", *more])))
    rows = [("client certificate", client_certificate), ("all hosts", ", ".join(common)), *routes]
    yield from table(TRAEFIK, "Traefik on every node" if kind == "DaemonSet" else f"Traefik, a {kind}", rows)
    yield arrow(FIREWALL, TRAEFIK, "443")


def backends(objects: Sequence[Object]) -> Iterator[tuple[str, str]]:
    """App and port of each Ingress."""
    yield from map(_backend, of_kind(objects, "Ingress"))


def _backend(ingress: Object) -> tuple[str, str]:
    services = [rule["http"]["paths"][0]["backend"]["service"] for rule in ingress["spec"]["rules"]]
    ((name, port),) = {(service["name"], str(service["port"]["number"])) for service in services}
    return name, port


def _middlewares(ingress: Object) -> Sequence[str]:
    names: str = ingress["metadata"]["annotations"]["traefik.ingress.kubernetes.io/router.middlewares"]
    return [name.removeprefix(f"{ingress['metadata']['namespace']}-").partition("@")[0] for name in names.split(",")]
