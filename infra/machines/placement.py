"""The spread placement groups. Hetzner runs the servers of one group on different hosts, and a group takes ten.

A server is only put into a group when it is created (`SET_AT_CREATION` in servers.py), because a running server cannot
change its group. The groups are therefore not computed from the order of the settings: after a node was removed, all
later nodes would move up in that order while their servers stay, and a new server could meet a full group. Instead, the
program reads while planning which servers are in which group. These keep their group, also when they are replaced, and
a new server joins the first group that has room.

A group is never removed before the whole stack. An empty group is free, and the next servers join it.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from itertools import count

import pulumi
import pulumi_hcloud as hcloud

from infra.settings.limits import SERVERS_PER_PLACEMENT_GROUP

_NAME = re.compile(r"honeydue(?:-([1-9][0-9]*))?")


def group_name(number: int) -> str:
    """The name of a group at Hetzner. The first one is from a time when a stack had only one."""
    return "honeydue" if number == 1 else f"honeydue-{number}"


def resource_name(number: int) -> str:
    """The name of a group in the state."""
    return "spread" if number == 1 else f"spread-{number}"


def read_members(provider: hcloud.Provider) -> Mapping[int, Collection[str]]:
    """The hostnames in each of our groups at Hetzner, by the number of the group."""
    options = pulumi.InvokeOptions(provider=provider)
    numbers = {
        group.id: int(match[1] or 1)
        for group in hcloud.get_placement_groups(opts=options).placement_groups
        if (match := _NAME.fullmatch(group.name))
    }
    members: dict[int, list[str]] = {number: [] for number in numbers.values()}
    # Without a selector: a server without our label takes a place in its group, too.
    for server in hcloud.get_servers(opts=options).servers if numbers else []:
        if server.placement_group_id in numbers:
            members[numbers[server.placement_group_id]].append(server.name)
    return members


def assign(hostnames: Collection[str], members: Mapping[int, Collection[str]]) -> Mapping[str, int]:
    """The number of the group of each node. `members` are the servers that are in a group now.

    A server that this plan deletes keeps its place, because the engine creates servers before it deletes others.
    """
    groups = {hostname: number for number, names in members.items() for hostname in names}
    sizes = Counter({number: len(names) for number, names in members.items()})
    maximum = SERVERS_PER_PLACEMENT_GROUP.maximum
    for hostname in hostnames:
        if hostname not in groups:
            groups[hostname] = next(number for number in count(1) if sizes[number] < maximum)
            sizes[groups[hostname]] += 1
    return groups
