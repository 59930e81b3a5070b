"""Computes which pod may connect to which other on which port, from the network policies of the program.

`make connectivity` writes the result to docs/connectivity.md. The verdicts are those of cyclonus, an evaluator for
network policies that was written to test network plugins (tools/network-policies).
"""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from tests.recipes import ROOT
from tests.unit.capture import monitored_settings, run
from tests.unit.manifests import Object, manifests, of_kind
from tools.cache import executable

TABLE = ROOT / "docs/connectivity.md"
WELL_KNOWN_PORTS = frozenset({22, 80, 443, 5432, 6443, 10250})
UNNAMED_PORT = 54321
"""A port that no policy names. If it is open, every port is open."""
POD_RANGE = "10.42.9"

HEAD = """# Allowed connections

This table shows which connections the network policies allow. Use it to check a change of a policy. Do not edit it:
`make connectivity` computes it from the NetworkPolicies that the program registers with the settings of the tests, and
a test fails when it is out of date.

node-exporter is on the host network as well, to which no policy applies: it is "a node". vmagent connects to ports of
its own node: 2381 (etcd), 6443 (API server), 9100 (node-exporter), 9101 (Traefik) and 10250 (kubelet).

Rows are sources, columns are destinations. Ports are TCP unless they are marked `udp`. `·` means no connection, `all`
means every port. Traefik is on the host network: its traffic comes from a node's address, or from a node's bridge in
the pod range. Addresses in that range do not distinguish the bridge from pods, so a pod *of another namespace* may
reach what Traefik may reach; in `honeydue` its own policy prevents this. k3s' kube-router matches addresses and ports,
not names: "internet" 5432 is Neon and every other host. admin reaches port 443 until `honeydue:adminUsesApiUrl` is set.
"""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One end of a connection: a pod, or an address without a pod."""

    title: str
    """Heading of its row and column."""
    ip: str
    namespace: str = ""
    labels: Mapping[str, str] | None = None
    """The labels of the pod; None is an address without a pod."""

    def peer(self) -> Mapping[str, Any]:
        """The endpoint in the input format of cyclonus."""
        if self.labels is None:
            return {"IP": self.ip}
        namespace_labels = {"kubernetes.io/metadata.name": self.namespace}
        return {
            "IP": self.ip,
            "Internal": {"PodLabels": self.labels, "NamespaceLabels": namespace_labels, "Namespace": self.namespace},
        }


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port and its protocol."""

    number: int
    protocol: str = "TCP"

    def __str__(self) -> str:
        return str(self.number) if self.protocol == "TCP" else f"{self.number}/udp"


def pod_templates(objects: Iterable[Object]) -> Iterator[tuple[Object, Object]]:
    """Every object with a pod template, and the template."""
    for manifest in objects:
        if template := (manifest.get("spec") or {}).get("template"):
            yield manifest, template


def workloads(objects: Sequence[Object]) -> list[Endpoint]:
    """A pod of every object with a pod template, except on the host network, to which no policy applies."""
    return [
        Endpoint(
            title=workload["metadata"]["name"],
            ip=f"{POD_RANGE}.{number}",
            namespace=workload["metadata"]["namespace"],
            labels=template["metadata"]["labels"],
        )
        for number, (workload, template) in enumerate(
            sorted(pod_templates(objects), key=lambda pair: str(pair[0]["metadata"]["name"])), start=10
        )
        if not template["spec"].get("hostNetwork")
    ]


OTHER_POD = Endpoint(
    title="any other pod in honeydue",
    ip=f"{POD_RANGE}.100",
    namespace="honeydue",
    labels={"app.kubernetes.io/name": "other"},
)
OTHER_NAMESPACE = Endpoint(title="a pod in default", ip=f"{POD_RANGE}.101", namespace="default", labels={})
COREDNS = Endpoint(title="CoreDNS", ip=f"{POD_RANGE}.102", namespace="kube-system", labels={"k8s-app": "kube-dns"})
METRICS_SERVER = Endpoint(
    title="metrics-server", ip=f"{POD_RANGE}.103", namespace="kube-system", labels={"k8s-app": "metrics-server"}
)
NODE = Endpoint(title="a node (Traefik)", ip="178.104.247.152")
BRIDGE = Endpoint(title="a node's bridge (Traefik)", ip="10.42.0.1")
INTERNET = Endpoint(title="internet", ip="44.198.216.75")
METADATA = Endpoint(title="metadata address", ip="169.254.169.254")
API_SERVER = Endpoint(title="API server's Service", ip="10.43.0.1")
PRIVATE_NETWORK = Endpoint(title="private network", ip="10.0.0.2")


def sources(objects: Sequence[Object]) -> list[Endpoint]:
    """The rows of the table."""
    return [*workloads(objects), OTHER_POD, COREDNS, METRICS_SERVER, OTHER_NAMESPACE, NODE, BRIDGE, INTERNET]


def destinations(objects: Sequence[Object]) -> list[Endpoint]:
    """The columns of the table."""
    pods = [*workloads(objects), OTHER_POD, COREDNS, METRICS_SERVER, OTHER_NAMESPACE]
    return [*pods, NODE, API_SERVER, PRIVATE_NETWORK, METADATA, INTERNET]


def ports(objects: Sequence[Object]) -> list[Port]:
    """Every port of a policy or a container, and well-known ports."""
    in_policies = {
        port["port"] for policy in of_kind(objects, "NetworkPolicy") for port in _policy_ports(policy["spec"])
    }
    in_containers = {
        port["containerPort"]
        for _, template in pod_templates(objects)
        for container in template["spec"]["containers"]
        for port in container.get("ports", [])
    }
    tcp = [Port(number=number) for number in sorted(in_policies | in_containers | WELL_KNOWN_PORTS | {UNNAMED_PORT})]
    return [*tcp, Port(number=53, protocol="UDP"), Port(number=UNNAMED_PORT, protocol="UDP")]


def _policy_ports(spec: Object) -> Iterator[Object]:
    for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
        yield from rule.get("ports", [])


def allowed(policies: Sequence[Object], connections: Sequence[tuple[Endpoint, Endpoint, Port]]) -> list[bool]:
    """Whether the policies allow each connection (source, destination, port), by the evaluator."""
    request = {
        "Policies": policies,
        "Connections": [
            {
                "Source": source.peer(),
                "Destination": destination.peer(),
                "ResolvedPort": port.number,
                "Protocol": port.protocol,
            }
            for source, destination, port in connections
        ],
    }
    program = executable("network-policies")
    completed = subprocess.run([program], input=json.dumps(request), capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    verdicts: list[bool] = json.loads(completed.stdout)
    return verdicts


def matrix(objects: Sequence[Object]) -> Mapping[tuple[str, str], Sequence[str]]:
    """The open ports by the titles of source and destination. Connections of a pod to itself are left out."""
    all_ports = ports(objects)
    pairs = [
        (source, destination)
        for source, destination in product(sources(objects), destinations(objects))
        if source != destination
    ]
    connections = [(source, destination, port) for source, destination in pairs for port in all_ports]
    verdicts = iter(allowed(of_kind(objects, "NetworkPolicy"), connections))
    return {
        (source.title, destination.title): _cell([port for port in all_ports if next(verdicts)])
        for source, destination in pairs
    }


def _cell(open_ports: Iterable[Port]) -> Sequence[str]:
    names = [str(port) for port in open_ports]
    return ["all"] if str(UNNAMED_PORT) in names else names


def table(objects: Sequence[Object]) -> str:
    """The text of docs/connectivity.md."""
    cells = matrix(objects)
    # Policies select pods and do not apply between two addresses without a pod: those cells stay empty.
    addresses = {endpoint.title for endpoint in (NODE, BRIDGE, INTERNET, METADATA, API_SERVER, PRIVATE_NETWORK)}
    columns = [endpoint.title for endpoint in destinations(objects)]
    lines = [["", *columns]]
    for row in (endpoint.title for endpoint in sources(objects)):
        texts = [
            "" if column == row or {row, column} <= addresses else ", ".join(cells[row, column]) or "·"
            for column in columns
        ]
        lines.append([f"**{row}**", *texts])
    lines.insert(1, ["---"] * len(lines[0]))
    return HEAD + "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    TABLE.write_text(table(manifests(run(monitored_settings()))))
