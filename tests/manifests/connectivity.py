"""Who may talk to whom on which port, computed from the rendered policies: `make connectivity` writes docs/connectivity.md.

The verdicts are those of cyclonus (tools/network-policies), an evaluator written to test network plugins.
"""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from tests.recipes import ROOT
from tests.unit.capture import example_settings, run
from tests.unit.manifests import Object, manifests, of
from tools import programs

TABLE = ROOT / "docs/connectivity.md"
EVALUATOR = programs.named("network-policies")
WELL_KNOWN = frozenset({22, 80, 443, 5432, 6443, 10250})
UNNAMED = 54321
"""A port that no policy names: where it is open, all are."""
POD_RANGE = "10.42.9"

HEAD = """# Allowed connections

This table shows which connections the network policies allow. Use it to check a change of a policy. Do not edit it:
`make connectivity` computes it from the NetworkPolicies that the program registers with the settings of the tests, and
a test fails when it is out of date.

Rows are sources, columns are destinations. Ports are TCP unless they are marked `udp`. `·` means no connection, `all`
means every port. Traefik is on the host network: its traffic comes from a node's address, or from a node's bridge in
the pod range. Addresses in that range do not distinguish the bridge from pods, so a pod *of another namespace* may
reach what Traefik may reach; in `honeydue` its own policy prevents this. k3s' kube-router matches addresses and ports,
not names: "internet" 5432 is Neon and every other host.
"""


@dataclass(frozen=True, kw_only=True)
class End:
    """One end of a connection: a pod, or a mere address."""

    title: str
    ip: str
    namespace: str = ""
    labels: Mapping[str, str] | None = None

    def peer(self) -> Mapping[str, Any]:
        """In cyclonus' words."""
        if self.labels is None:
            return {"IP": self.ip}
        names = {"kubernetes.io/metadata.name": self.namespace}
        return {
            "IP": self.ip,
            "Internal": {"PodLabels": self.labels, "NamespaceLabels": names, "Namespace": self.namespace},
        }


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port and its protocol."""

    number: int
    protocol: str = "TCP"

    def __str__(self) -> str:
        return str(self.number) if self.protocol == "TCP" else f"{self.number}/udp"


def templates(objects: Iterable[Object]) -> Iterator[tuple[Object, Object]]:
    """What makes pods, and the pod it makes."""
    for one in objects:
        if template := (one.get("spec") or {}).get("template"):
            yield one, template


def workloads(objects: Sequence[Object]) -> list[End]:
    """A pod of everything that makes pods."""
    return [
        End(
            title=one["metadata"]["name"],
            ip=f"{POD_RANGE}.{number}",
            namespace=one["metadata"]["namespace"],
            labels=template["metadata"]["labels"],
        )
        for number, (one, template) in enumerate(
            sorted(templates(objects), key=lambda pair: str(pair[0]["metadata"]["name"])), start=10
        )
    ]


STRANGER = End(
    title="any other pod in honeydue",
    ip=f"{POD_RANGE}.100",
    namespace="honeydue",
    labels={"app.kubernetes.io/name": "stranger"},
)
ELSEWHERE = End(title="a pod in default", ip=f"{POD_RANGE}.101", namespace="default", labels={})
COREDNS = End(title="CoreDNS", ip=f"{POD_RANGE}.102", namespace="kube-system", labels={"k8s-app": "kube-dns"})
METRICS = End(
    title="metrics-server", ip=f"{POD_RANGE}.103", namespace="kube-system", labels={"k8s-app": "metrics-server"}
)
NODE = End(title="a node (Traefik)", ip="178.104.247.152")
BRIDGE = End(title="a node's bridge (Traefik)", ip="10.42.0.1")
INTERNET = End(title="internet", ip="44.198.216.75")
METADATA = End(title="metadata address", ip="169.254.169.254")
API_SERVER = End(title="API server's Service", ip="10.43.0.1")
PRIVATE = End(title="private network", ip="10.0.0.2")


def callers(objects: Sequence[Object]) -> list[End]:
    return [*workloads(objects), STRANGER, COREDNS, METRICS, ELSEWHERE, NODE, BRIDGE, INTERNET]


def called(objects: Sequence[Object]) -> list[End]:
    return [*workloads(objects), STRANGER, COREDNS, METRICS, ELSEWHERE, NODE, API_SERVER, PRIVATE, METADATA, INTERNET]


def ports(objects: Sequence[Object]) -> list[Port]:
    """Every port that a policy or a pod names, and well-known ones beside them."""
    named = {port["port"] for one in of(objects, "NetworkPolicy") for port in _named(one["spec"])}
    listening = {
        port["containerPort"]
        for _, template in templates(objects)
        for container in template["spec"]["containers"]
        for port in container.get("ports", [])
    }
    tcp = [Port(number=number) for number in sorted(named | listening | WELL_KNOWN | {UNNAMED})]
    return [*tcp, Port(number=53, protocol="UDP"), Port(number=UNNAMED, protocol="UDP")]


def _named(spec: Object) -> Iterator[Object]:
    for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
        yield from rule.get("ports", [])


def allowed(policies: Sequence[Object], connections: Sequence[tuple[End, End, Port]]) -> list[bool]:
    """The evaluator's verdict on each."""
    asked = {
        "Policies": policies,
        "Connections": [
            {"Source": one.peer(), "Destination": other.peer(), "ResolvedPort": port.number, "Protocol": port.protocol}
            for one, other, port in connections
        ],
    }
    program = programs.installed(EVALUATOR) / EVALUATOR.name
    done = subprocess.run([program], input=json.dumps(asked), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    verdicts: list[bool] = json.loads(done.stdout)
    return verdicts


def matrix(objects: Sequence[Object]) -> Mapping[tuple[str, str], Sequence[str]]:
    """The open ports, by who calls and who is called; a pod and itself are left out."""
    tried = ports(objects)
    pairs = [(one, other) for one, other in product(callers(objects), called(objects)) if one != other]
    verdicts = iter(
        allowed(of(objects, "NetworkPolicy"), [(one, other, port) for one, other in pairs for port in tried])
    )
    return {(one.title, other.title): _open([port for port in tried if next(verdicts)]) for one, other in pairs}


def _open(found: Iterable[Port]) -> Sequence[str]:
    names = [str(port) for port in found]
    return ["all"] if str(UNNAMED) in names else names


def table(objects: Sequence[Object]) -> str:
    """The page."""
    found = matrix(objects)
    # A mere address is not ours to govern: between two of them nothing is said.
    outside = {one.title for one in (NODE, BRIDGE, INTERNET, METADATA, API_SERVER, PRIVATE)}
    columns = [one.title for one in called(objects)]
    lines = [["", *columns]]
    for row in (one.title for one in callers(objects)):
        said = [column != row and not {row, column} <= outside for column in columns]
        cells = [
            (", ".join(found[row, column]) or "·") if known else "" for column, known in zip(columns, said, strict=True)
        ]
        lines.append([f"**{row}**", *cells])
    lines.insert(1, ["---"] * len(lines[0]))
    return HEAD + "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    TABLE.write_text(table(manifests(run(example_settings()))))
