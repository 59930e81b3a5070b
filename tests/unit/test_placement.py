"""Placement groups: ten servers each. A server keeps its group, whatever is added, removed or replaced."""

import copy
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from infra.machines.placement import assign, group_name
from infra.settings.limits import SERVERS_PER_PLACEMENT_GROUP
from tests.unit.capture import Capture, example_settings, run

MAXIMUM = SERVERS_PER_PLACEMENT_GROUP.maximum
NAMES = [f"node-{number}" for number in range(1, 31)]


def settings(count: int) -> dict[str, Any]:
    """The example settings with as many nodes. The first ones are those of the example."""
    result = copy.deepcopy(example_settings())
    nodes = result["honeydue:nodes"]
    assert isinstance(nodes, dict)
    nodes |= {name: {"hostname": name, "role": "agent"} for name in NAMES[: count - len(nodes)]}
    return result


def groups(capture: Capture) -> Mapping[str, str]:
    """The name of the group of each server, by hostname."""
    ids = {f"{group.inputs['name']}": group.urn for group in capture.resources("PlacementGroup")}
    return {
        server.inputs["name"]: name
        for server in capture.resources("Server")
        for name, urn in ids.items()
        if urn in server.request.propertyDependencies["placementGroupId"].urns
    }


@pytest.mark.parametrize(("count", "sizes"), [(10, [10]), (11, [10, 1]), (30, [10, 10, 10])])
def test_nodes_are_in_groups_of_ten_in_the_order_of_the_settings(count: int, sizes: list[int]) -> None:
    capture = run(settings(count))
    assert (
        sorted((group.name, group.inputs["name"]) for group in capture.resources("PlacementGroup"))
        == [
            ("spread", "honeydue"),
            ("spread-2", "honeydue-2"),
            ("spread-3", "honeydue-3"),
        ][: len(sizes)]
    )
    hostnames = [node["hostname"] for node in capture.settings["honeydue:nodes"].values()]
    assert [groups(capture)[hostname] for hostname in hostnames] == [
        group_name(number) for number, size in enumerate(sizes, start=1) for _ in range(size)
    ]


def test_a_node_keeps_its_group_when_an_earlier_one_was_removed() -> None:
    placement = {"honeydue": NAMES[:10], "honeydue-2": NAMES[10:20]}
    changed = settings(23)
    del changed["honeydue:nodes"][NAMES[0]], changed["honeydue:nodes"][NAMES[11]]
    assigned = groups(run(changed, placement=placement))
    for name, hostnames in placement.items():
        assert {assigned[hostname] for hostname in hostnames if hostname in assigned} == {name}


def test_a_new_node_joins_a_group_with_room() -> None:
    placement = {"honeydue": NAMES[1:10], "honeydue-2": NAMES[10:20], "other": ["stranger"]}
    assigned = groups(run(settings(23), placement=placement))
    # The four new nodes are the three of the example, of which one fills the first group, and NAMES[0].
    assert Counter(assigned.values()) == {"honeydue": 10, "honeydue-2": 10, "honeydue-3": 3}


def test_a_group_stays_when_it_is_not_needed_any_more() -> None:
    capture = run(example_settings(), placement={"honeydue": [], "honeydue-2": []})
    assert {group.inputs["name"] for group in capture.resources("PlacementGroup")} == {"honeydue", "honeydue-2"}
    assert set(groups(capture).values()) == {"honeydue"}


def test_a_replaced_node_returns_to_its_group() -> None:
    placement = {"honeydue": NAMES[:9], "honeydue-2": NAMES[9:19]}
    capture = run({**settings(22), "honeydue:replacing": NAMES[15]}, placement=placement)
    assert groups(capture)[NAMES[15]] == "honeydue-2"
    assert "placementGroupId" not in capture.resource("Server", NAMES[15]).request.ignoreChanges


@pytest.mark.parametrize(
    ("members", "added"),
    [
        ({}, 30),
        ({1: NAMES[:10]}, 11),
        # A removed server has its place until the plan has deleted it.
        ({1: ["removed", *NAMES[:9]], 2: NAMES[9:18]}, 2),
        ({1: [], 2: NAMES[:10], 4: NAMES[10:13]}, 30),
    ],
)
def test_no_group_has_more_servers_than_hetzner_accepts(members: Mapping[int, Collection[str]], added: int) -> None:
    new = [f"new-{number}" for number in range(added)]
    assigned = assign([*NAMES[:13], *new], members)
    assert max(Counter(assigned.values()).values()) <= MAXIMUM
    for number, hostnames in members.items():
        assert {assigned[hostname] for hostname in hostnames} <= {number}
