"""Reads the current objects and records that a refreshed plan does not contain.

Its clients take almost a second to import, so the command imports it while the engine computes the plan.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ops import kubernetes
from ops.adoption.lookups.cloudflare import Cloudflare
from ops.drift.live import CachedCluster, live_objects
from ops.drift.rows import DriftRow
from ops.drift.undeclared import undeclared_objects, undeclared_records
from ops.engine.stack import Settings
from ops.kubernetes import Object
from ops.plan import State


@dataclass(frozen=True, kw_only=True)
class Current:
    """What exists now.

    Attributes:
        live: the stack's objects, by URN.
        undeclared: objects and records that the stack does not declare.
        unlisted_kinds: kinds of objects that the account may not list.
    """

    live: Mapping[str, Object]
    undeclared: Sequence[DriftRow]
    unlisted_kinds: Sequence[str]


def read_current(stack: str, settings: Settings, resources: Collection[State]) -> Current:
    """Read objects and records of these resources."""
    states = list(resources)
    records = list(undeclared_records(Cloudflare(str(settings.get("cloudflareToken"))), states))
    with kubernetes.connect(stack, settings) as connected:
        cluster = CachedCluster(connected)
        live = live_objects(cluster, states)
        objects = undeclared_objects(cluster, states)
    return Current(live=live, undeclared=[*records, *objects.rows], unlisted_kinds=objects.unlisted_kinds)
