"""What a refresh cannot see: things nobody declared, in the namespace and in the zone.

Firewalls that somebody attached to our servers, and rules added to ours, are not among them: the refresh sees those.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.cluster.namespace import NAMESPACE
from ops.adoption.findings import dig
from ops.adoption.lookups.cloudflare import Cloudflare
from ops.adoption.undeclared import Place, places, strangers
from ops.drift.rows import NOT_DECLARED, STANDS, Drift
from ops.errors import NotAllowedError
from ops.kubernetes import Cluster
from ops.plan import State

RUNNING = [
    ("v1", "Pod"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "CronJob"),
]
"""What the program does not use, and others run things by."""
RECORD = "cloudflare:index/dnsRecord:DnsRecord"
LEADING = ("A", "AAAA", "CNAME")
"""Types of records that lead somebody somewhere; mail and verification stay what they are."""


@dataclass(frozen=True, kw_only=True)
class Objects:
    """What stands in the namespace besides, and the kinds that the account may not list."""

    drifts: Sequence[Drift]
    unseen: Sequence[str]


def objects(cluster: Cluster, held: Sequence[State]) -> Objects:
    """Objects that the stack does not hold, and no controller made of one."""
    ours = [place for place in places(held) if place.namespace == NAMESPACE]
    found: list[Drift] = []
    unseen: list[str] = []
    for place in [*ours, *(Place(namespace=NAMESPACE, api_version=version, kind=kind) for version, kind in RUNNING)]:
        try:
            found += [_undeclared(name) for name in strangers(cluster, place, held, {})]
        except NotAllowedError:
            unseen.append(place.kind)
    return Objects(drifts=found, unseen=sorted(unseen))


def records(cloudflare: Cloudflare, held: Sequence[State]) -> Iterator[Drift]:
    """Records that lead from a name of ours, or to an address of ours: the latter shows everybody where the origin is."""
    ours = [state for state in held if state.type == RECORD]
    ids = {state.id.rpartition("/")[2] for state in ours}
    names, addresses = ({dig(state.outputs, key) for state in ours} for key in ("name", "content"))
    for zone in sorted({str(dig(state.outputs, "zoneId")) for state in ours}):
        for record in cloudflare.records(zone):
            if (
                record.type in LEADING
                and record.id not in ids
                and (record.name in names or record.content in addresses)
            ):
                yield _undeclared(f"{record.type} record {record.name} → {record.content}")


def _undeclared(name: str) -> Drift:
    return Drift(resource=name, declared=NOT_DECLARED, found=STANDS)
