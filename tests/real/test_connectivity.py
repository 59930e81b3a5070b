"""docs/connectivity.md by trial: every cell of it with real connections, the allowed and the refused ones alike."""

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
    ELSEWHERE,
    INTERNET,
    METADATA,
    METRICS,
    NODE,
    PRIVATE,
    STRANGER,
    End,
)
from tests.real.inside import Place, answered, beyond, bridge, listening, node, pod, pods
from tests.unit.capture import example_settings, run
from tests.unit.manifests import manifests

BEYOND = (PRIVATE, METADATA, INTERNET)
"""Outside of the cluster; here the router has their addresses."""
Trial = tuple[Place, Place, str, connectivity.Port, bool]
"""A connection: from, to, the column's title, the port, and whether it is let through."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """The page's cells as the evaluator has them, and where each of its ends lives, by title."""

    cells: Mapping[tuple[str, str], Sequence[str]]
    ports: Sequence[connectivity.Port]
    callers: Mapping[str, Sequence[Place]]
    called: Mapping[str, Sequence[Place]]

    def tried(self, caller: str) -> Iterator[Trial]:
        """Every connection of one row."""
        for column, targets in self.called.items():
            if (caller, column) not in self.cells or {caller, column} <= ADDRESSES:
                continue
            open_ = self.cells[caller, column]
            for one, other in product(self.callers[caller], targets):
                # A node reaches its own pods always: a kubelet has to.
                if one.address == other.address or (caller in OF_NODES and one.node == other.node):
                    continue
                for port in SERVED if column == API_SERVER.title else self.ports:
                    yield one, other, column, port, open_ == ["all"] or str(port) in open_


ADDRESSES = {one.title for one in (NODE, BRIDGE, API_SERVER, *BEYOND)}
OF_NODES = {NODE.title, BRIDGE.title}
SERVED = (connectivity.Port(number=443),)
"""The one port of the API server's Service: no other leads anywhere, whatever a policy lets through."""


@pytest.fixture(scope="module")
def table(production: World) -> Iterator[Table]:
    objects = manifests(run(example_settings()))
    with ExitStack() as made:
        found = {
            one.title: _pods(production, one, made)
            for one in (*connectivity.workloads(objects), STRANGER, METRICS, ELSEWHERE, COREDNS)
        }
        nodes = {NODE.title: [node(production, NODE.ip)]}
        outside = {one.title: [made.enter_context(beyond(one.ip))] for one in BEYOND}
        service = {API_SERVER.title: [Place(address=API_SERVER.ip)]}
        yield Table(
            cells=connectivity.matrix(objects),
            ports=connectivity.ports(objects),
            callers={
                **found,
                **nodes,
                BRIDGE.title: [bridge(production, NODE.ip)],
                INTERNET.title: outside[INTERNET.title],
            },
            called={**found, **nodes, **outside, **service},
        )


def _pods(world: World, end: End, made: ExitStack) -> Sequence[Place]:
    """Those that run; else one that is played: a policy knows nothing but labels."""
    labels = end.labels or {}
    running = pods(world, end.namespace, labels) if labels else []
    return running or [
        made.enter_context(
            pod(
                world,
                "plays-" + "".join(filter(str.isalnum, end.title.lower())),
                namespace=end.namespace,
                labels=labels,
            )
        )
    ]


@pytest.fixture(scope="module", autouse=True)
def _every_port_answers(table: Table) -> Iterator[None]:
    """What does not answer is then refused, and not merely closed."""
    ports = [f"{port.number}/{port.protocol.lower()}" for port in table.ports]
    with ExitStack() as answering:
        for title, places in table.called.items():
            if title != API_SERVER.title:
                for place in places:
                    answering.enter_context(listening(place, ports))
        yield


ROWS = [
    *("admin", "api", "migrate", "redis", "web", "worker"),
    *(one.title for one in (STRANGER, COREDNS, METRICS, ELSEWHERE, NODE, BRIDGE, INTERNET)),
]


def test_these_are_all_rows(table: Table) -> None:
    assert set(ROWS) == set(table.callers)


@pytest.mark.parametrize("caller", ROWS)
def test_a_row_holds(table: Table, caller: str) -> None:
    tried = list(table.tried(caller))
    assert tried
    # What is not as the table has it is asked once more: of many thousand refused connections one was let through, and not again
    # (docs/real-nodes.md).
    wrong = _wrong(_wrong(tried))
    assert [
        f"{to} ({other.address}) {port} is {'refused' if let else 'let through'}" for _, other, to, port, let in wrong
    ] == []


def _wrong(tried: Sequence[Trial]) -> list[Trial]:
    """Those that are not let through as they should be, or are and should not."""
    wrong = []
    for place in {one[0] for one in tried}:
        mine = [one for one in tried if one[0] == place]
        found = answered(
            place, [(place.address, other.address, port.number, port.protocol) for _, other, _, port, _ in mine]
        )
        wrong += [one for one, got in zip(mine, found, strict=True) if got != one[-1]]
    return wrong
