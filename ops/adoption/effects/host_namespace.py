"""Finds workloads in the namespace of node_exporter, in which nothing else may run."""

from collections.abc import Iterator, Sequence

from infra.names import NODE_EXPORTER
from ops.adoption.effects.effect import REFUSED, Effect
from ops.adoption.effects.images import EXEMPT_KINDS, image_rules
from ops.adoption.workloads import Workload
from ops.plan import State


def effects(workload: Workload, states: Sequence[State]) -> Iterator[Effect]:
    """Everything but the DaemonSet that the program declares. No setting makes room for it."""
    if workload.namespace == NODE_EXPORTER and any(image_rules(states, NODE_EXPORTER)):
        # The pods of a DaemonSet that exists restart: their owner is validated, and it was before the policy.
        refused = "its next change is refused" if workload.kind in EXEMPT_KINDS else REFUSED
        yield Effect(
            problem=f"{refused}: only the DaemonSet {NODE_EXPORTER} may run in namespace {NODE_EXPORTER}",
            remedy="Move it to another namespace",
        )
