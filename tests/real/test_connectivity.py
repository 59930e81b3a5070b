"""Every cell of docs/connectivity.md holds for real connections, whether it allows or refuses them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product

import pytest

from rehearsal.world.world import World
from tests.manifests import connectivity
from tests.manifests.connectivity import (
    API_SERVER,
    BRIDGE,
    COREDNS,
    INTERNET,
    METADATA,
    METRICS_SERVER,
    NODE,
    OTHER_NAMESPACE,
    OTHER_POD,
    PRIVATE_NETWORK,
    Endpoint,
)
from tests.real.network_namespaces import (
    NetworkNamespace,
    dial,
    external_address,
    idle_pod,
    listening,
    node,
    node_bridge,
    pods,
)
from tests.unit.capture import example_settings, run
from tests.unit.manifests import manifests

EXTERNAL = (PRIVATE_NETWORK, METADATA, INTERNET)
"""Endpoints outside the cluster; the router of the world has their addresses."""


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A connection to try, and whether the table allows it."""

    source: NetworkNamespace
    destination: NetworkNamespace
    column: str
    port: connectivity.Port
    allowed: bool

    def __str__(self) -> str:
        expected = "refused" if self.allowed else "let through"
        return f"{self.column} ({self.destination.address}) {self.port} is {expected}"


@dataclass(frozen=True, kw_only=True)
class Table:
    """The cells of the table as the evaluator computes them, and the network namespaces of each row and column."""

    cells: Mapping[tuple[str, str], Sequence[str]]
    ports: Sequence[connectivity.Port]
    sources: Mapping[str, Sequence[NetworkNamespace]]
    destinations: Mapping[str, Sequence[NetworkNamespace]]

    def connections(self, row: str) -> Iterator[Connection]:
        """Every connection of one row."""
        for column, namespaces in self.destinations.items():
            if (row, column) not in self.cells or {row, column} <= ADDRESSES:
                continue
            open_ports = self.cells[row, column]
            for source, destination in product(self.sources[row], namespaces):
                # Kubernetes always allows connections from a node to its own pods: the kubelet sends probes.
                if source.address == destination.address or (row in ON_NODES and source.node == destination.node):
                    continue
                for port in SERVICE_PORTS if column == API_SERVER.title else self.ports:
                    yield Connection(
                        source=source,
                        destination=destination,
                        column=column,
                        port=port,
                        allowed=open_ports == ["all"] or str(port) in open_ports,
                    )


ADDRESSES = {endpoint.title for endpoint in (NODE, BRIDGE, API_SERVER, *EXTERNAL)}
ON_NODES = {NODE.title, BRIDGE.title}
SERVICE_PORTS = (connectivity.Port(number=443),)
"""The ports of the API server's Service. Connections to any other port fail, whatever the policies allow."""


@pytest.fixture(scope="module")
def table(production: World) -> Iterator[Table]:
    objects = manifests(run(example_settings()))
    with ExitStack() as stack:
        pod_namespaces = {
            endpoint.title: _pods(production, endpoint, stack)
            for endpoint in (*connectivity.workloads(objects), OTHER_POD, METRICS_SERVER, OTHER_NAMESPACE, COREDNS)
        }
        nodes = {NODE.title: [node(production, NODE.ip)]}
        external = {endpoint.title: [stack.enter_context(external_address(endpoint.ip))] for endpoint in EXTERNAL}
        service = {API_SERVER.title: [NetworkNamespace(address=API_SERVER.ip)]}
        yield Table(
            cells=connectivity.matrix(objects),
            ports=connectivity.ports(objects),
            sources={
                **pod_namespaces,
                **nodes,
                BRIDGE.title: [node_bridge(production, NODE.ip)],
                INTERNET.title: external[INTERNET.title],
            },
            destinations={**pod_namespaces, **nodes, **external, **service},
        )


def _pods(world: World, endpoint: Endpoint, stack: ExitStack) -> Sequence[NetworkNamespace]:
    """The running pods of an endpoint, or an idle pod with its labels: policies select pods by labels only."""
    labels = endpoint.labels or {}
    running = pods(world, endpoint.namespace, labels) if labels else []
    return running or [
        stack.enter_context(
            idle_pod(
                world,
                "idle-" + "".join(filter(str.isalnum, endpoint.title.lower())),
                namespace=endpoint.namespace,
                labels=labels,
            )
        )
    ]


@pytest.fixture(scope="module", autouse=True)
def _every_port_answers(table: Table) -> Iterator[None]:
    """Makes every port answer. A connection that fails was then refused by a policy, and not by a closed port."""
    ports = [f"{port.number}/{port.protocol.lower()}" for port in table.ports]
    with ExitStack() as listeners:
        for title, namespaces in table.destinations.items():
            if title != API_SERVER.title:
                for namespace in namespaces:
                    listeners.enter_context(listening(namespace, ports))
        yield


ROWS = [
    *("admin", "api", "migrate", "redis", "web", "worker"),
    *(endpoint.title for endpoint in (OTHER_POD, COREDNS, METRICS_SERVER, OTHER_NAMESPACE, NODE, BRIDGE, INTERNET)),
]


def test_every_row_of_the_table_is_tried(table: Table) -> None:
    assert set(ROWS) == set(table.sources)


@pytest.mark.parametrize("row", ROWS)
def test_connections_match_the_row(table: Table, row: str) -> None:
    connections = list(table.connections(row))
    assert connections
    # Connections that differ from the table are tried a second time: among many thousand refused connections, one was
    # let through once and refused the next time (docs/real-nodes.md).
    assert list(map(str, _mismatches(_mismatches(connections)))) == []


def _mismatches(connections: Sequence[Connection]) -> list[Connection]:
    """Tries the connections, and returns those whose result differs from the table."""
    mismatches = []
    for source in {connection.source for connection in connections}:
        tried = [connection for connection in connections if connection.source == source]
        results = dial(
            source,
            [
                (source.address, connection.destination.address, connection.port.number, connection.port.protocol)
                for connection in tried
            ],
        )
        mismatches += [
            connection for connection, result in zip(tried, results, strict=True) if result != connection.allowed
        ]
    return mismatches
