"""Reads the current objects, records and rules that a refreshed plan does not contain.

Its clients take almost a second to import, so the command imports it while the engine computes the plan.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ops import kubernetes
from ops.adoption.lookups.cloudflare import Cloudflare
from ops.drift.cron_triggers import changed_cron_triggers
from ops.drift.live import CachedCluster, live_objects
from ops.drift.rows import DriftRow
from ops.drift.undeclared import undeclared_objects, undeclared_records
from ops.drift.zone import undeclared_in_zone
from ops.engine.stack import Settings
from ops.kubernetes import Object
from ops.plan import State


@dataclass(frozen=True, kw_only=True)
class Current:
    """What exists now.

    Attributes:
        live: the stack's objects, by URN.
        undeclared: objects, records, rules and zone settings that the stack does not declare, and cron triggers that
            differ.
        unlisted_kinds: kinds of objects that the account may not list.
        unread: what Cloudflare's token may not read.
    """

    live: Mapping[str, Object]
    undeclared: Sequence[DriftRow]
    unlisted_kinds: Sequence[str]
    unread: Sequence[str]


def read_current(stack: str, settings: Settings, resources: Collection[State]) -> Current:
    """Read the objects of these resources, and their zone."""
    states = list(resources)
    cloudflare = Cloudflare(str(settings.get("cloudflareToken")))
    # The records first: a token that is rejected there is an error, and not a missing permission.
    records = list(undeclared_records(cloudflare, states))
    zone = undeclared_in_zone(cloudflare, states)
    cron_triggers, unread = changed_cron_triggers(cloudflare, states)
    with kubernetes.connect(stack, settings) as connected:
        cluster = CachedCluster(connected)
        live = live_objects(cluster, states)
        objects = undeclared_objects(cluster, states)
    return Current(
        live=live,
        undeclared=[*records, *zone.rows, *cron_triggers, *objects.rows],
        unlisted_kinds=objects.unlisted_kinds,
        unread=[*zone.unread, *unread],
    )
