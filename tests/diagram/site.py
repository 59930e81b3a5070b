"""The way of a request: Cloudflare, the firewall, the nodes, Traefik."""

from collections.abc import Iterable, Iterator, Sequence

import yaml

from tests.diagram.d2 import arrow, box, quoted, table
from tests.unit.capture import Capture
from tests.unit.manifests import Object, of

CLUSTER = "cluster"
FIREWALL, NODES, TRAEFIK = (f"{CLUSTER}.{name}" for name in ("firewall", "nodes", "traefik"))
DAYS_A_YEAR = 365
MODES = {"strict": "TLS, Full (strict)", "full": "TLS, Full", "flexible": "no TLS (Flexible)", "off": "no TLS"}
"""How Cloudflare names what its API calls `ssl`."""


APEX = "the apex"


def short(hosts: Iterable[str], program: Capture) -> str:
    """ "admin., api., the apex"."""
    domain = min((one.inputs["name"] for one in program.of("DnsRecord")), key=len)
    names = {host.removesuffix(domain) or APEX for host in hosts}
    return ", ".join(sorted(names, key=lambda name: (name == APEX, name)))


def edge(program: Capture) -> Iterator[str]:
    """Cloudflare, and who comes to it."""
    records = [one.inputs["name"] for one in program.of("DnsRecord") if one.inputs["proxied"]]
    tls = {one.inputs["settingId"]: one.inputs["value"] for one in program.of("ZoneSetting")}
    to_visitors = [f"TLS ≥ {tls['min_tls_version']}", *(["always HTTPS"] if tls["always_use_https"] == "on" else [])]
    to_nodes = [MODES[tls["ssl"]]]
    if all(one.inputs["enabled"] for one in program.of("AuthenticatedOriginPullsSettings")):
        to_nodes.append("our client certificate")
    yield from table(
        "cloudflare",
        "Cloudflare",
        [
            (short(records, program), f"{len(records)} proxied records"),
            ("to visitors", ", ".join(to_visitors)),
            ("to the nodes", ", ".join(to_nodes)),
        ],
    )
    years = int(program.one("OriginCaCertificate", "origin").inputs["requestedValidity"]) // DAYS_A_YEAR
    yield box("users", "Browsers, phones")
    yield arrow("users", "cloudflare", "HTTPS")
    yield arrow("cloudflare", FIREWALL, f"443, origin certificate of {years} years")


def machines(program: Capture) -> Iterator[str]:
    """The firewall, who passes it by hand, and the nodes with where their images come from."""
    rules = program.one("Firewall", "honeydue").inputs["rules"]
    yield from table(
        FIREWALL,
        "Firewall",
        [(f"{one.get('port') or ''} {one['protocol']}".strip(), one["description"]) for one in rules],
    )
    yield box("operator", "Operator")
    yield arrow("operator", FIREWALL, ", ".join(one["port"] for one in rules if "operators" in one["description"]))
    servers = program.of("Server")
    kinds = sorted({f"{one.inputs['serverType']} in {one.inputs['location']}" for one in servers})
    yield from table(NODES, f"{len(servers)} × {', '.join(kinds)}", [(one.name, one.inputs["name"]) for one in servers])
    hosts = {image.partition("/")[0] for image in program.outputs["images"].values() if "." in image.partition("/")[0]}
    for host in sorted(hosts):
        yield box(quoted(host), f"{host}\nimages")
        yield arrow(NODES, quoted(host), "443")


def ingress(program: Capture, objects: Sequence[Object]) -> Iterator[str]:
    """Traefik, and which name leads to which app, behind what."""
    (chart,) = of(objects, "HelmChartConfig")
    (options,) = of(objects, "TLSOption")
    routes = of(objects, "Ingress")
    everywhere = [name for name in _middlewares(routes[0]) if all(name in _middlewares(one) for one in routes)]
    kind = yaml.safe_load(chart["spec"]["valuesContent"])["deployment"]["kind"]
    demand = {"RequireAndVerifyClientCert": "required", "VerifyClientCertIfGiven": "asked for"}[
        options["spec"]["clientAuth"]["clientAuthType"]
    ]
    leads = []
    for one in routes:
        hosts = short((rule["host"] for rule in one["spec"]["rules"]), program)
        leads.append(
            (hosts, ", ".join([f"to {_app(one)[0]}", *(name for name in _middlewares(one) if name not in everywhere)]))
        )
    rows = [("client certificate", demand), ("before all", ", ".join(everywhere)), *leads]
    yield from table(TRAEFIK, "Traefik on every node" if kind == "DaemonSet" else f"Traefik, a {kind}", rows)
    yield arrow(FIREWALL, TRAEFIK, "443")


def routed(objects: Sequence[Object]) -> Iterator[tuple[str, str]]:
    """The apps that Traefik calls, and on which port."""
    yield from map(_app, of(objects, "Ingress"))


def _app(route: Object) -> tuple[str, str]:
    services = [rule["http"]["paths"][0]["backend"]["service"] for rule in route["spec"]["rules"]]
    ((name, port),) = {(one["name"], str(one["port"]["number"])) for one in services}
    return name, port


def _middlewares(route: Object) -> Sequence[str]:
    names: str = route["metadata"]["annotations"]["traefik.ingress.kubernetes.io/router.middlewares"]
    return [name.removeprefix(f"{route['metadata']['namespace']}-").partition("@")[0] for name in names.split(",")]
