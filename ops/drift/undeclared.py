"""Finds undeclared objects in the namespaces of the stack and undeclared DNS records, which a refresh does not cover.

A refresh covers firewalls that were attached to the stack's servers, and rules that were added to its firewalls.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.names import OWN_NAMESPACES
from ops.adoption.lookups.cloudflare import Cloudflare
from ops.adoption.undeclared import NamespacedKind, managed_kinds, undeclared_of_kind
from ops.drift.rows import EXISTS, NOT_DECLARED, DriftRow
from ops.errors import ForbiddenError
from ops.json_paths import dig
from ops.kubernetes import Cluster
from ops.plan import State
from ops.resource_types import RECORD

KINDS_WITH_PODS = [
    ("v1", "Pod"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "CronJob"),
]
"""Kinds that run containers. They are listed whether or not the program declares one of them."""
ADDRESS_TYPES = ("A", "AAAA", "CNAME")
"""Types of records that point to a server. Records for mail and verification are ignored."""
SERVICE_TYPES = ("HTTPS", "SVCB")
"""Types of records by which a browser may connect to another server than that of the address records (RFC 9460)."""


@dataclass(frozen=True, kw_only=True)
class UndeclaredObjects:
    """Undeclared objects in the namespaces of the stack, and the kinds that the account may not list."""

    rows: Sequence[DriftRow]
    unlisted_kinds: Sequence[str]


def undeclared_objects(cluster: Cluster, resources: Sequence[State]) -> UndeclaredObjects:
    """Objects in the stack's own namespaces that are neither in the state nor owned by a controller."""
    managed = {kind for kind in managed_kinds(resources) if kind.namespace in OWN_NAMESPACES}
    with_pods = {
        NamespacedKind(namespace=namespace, api_version=version, kind=kind)
        for namespace in {kind.namespace for kind in managed}
        for version, kind in KINDS_WITH_PODS
    }
    rows: list[DriftRow] = []
    unlisted_kinds: set[str] = set()
    for kind in sorted(managed | with_pods):
        try:
            rows += [_row(name) for name in undeclared_of_kind(cluster, kind, resources, {})]
        except ForbiddenError:
            unlisted_kinds.add(kind.kind)
    return UndeclaredObjects(rows=rows, unlisted_kinds=sorted(unlisted_kinds))


def undeclared_records(cloudflare: Cloudflare, resources: Sequence[State]) -> Iterator[DriftRow]:
    """Undeclared records with a name of the stack, or with the address of one of its nodes, which they would expose."""
    declared = [state for state in resources if state.type == RECORD]
    ids = {state.id.rpartition("/")[2] for state in declared}
    names, addresses = ({dig(state.outputs, key) for state in declared} for key in ("name", "content"))
    for zone in sorted({str(dig(state.outputs, "zoneId")) for state in declared}):
        for record in cloudflare.records(zone):
            named = record.type in (*ADDRESS_TYPES, *SERVICE_TYPES) and record.name in names
            exposes = record.type in ADDRESS_TYPES and record.content in addresses
            if record.id not in ids and (named or exposes):
                yield _row(f"{record.type} record {record.name} → {record.content}")


def _row(name: str) -> DriftRow:
    return DriftRow(resource=name, declared=NOT_DECLARED, actual=EXISTS)
