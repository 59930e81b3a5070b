"""Finds workloads in the namespaces with access to the host, in which nothing else may run."""

from collections.abc import Iterator, Sequence

from infra.names import HOST_DAEMON_SETS
from ops.adoption.effects.effect import REFUSED, Effect
from ops.adoption.effects.images import EXEMPT_KINDS, image_rules
from ops.adoption.workloads import Workload
from ops.plan import State


def effects(workload: Workload, states: Sequence[State]) -> Iterator[Effect]:
    """Everything but the DaemonSet that the program declares. No setting makes room for it."""
    daemon_set = HOST_DAEMON_SETS.get(workload.namespace)
    if daemon_set and any(image_rules(states, workload.namespace)):
        # The pods of a DaemonSet that exists restart: their owner is validated, and it was before the policy.
        refused = "its next change is refused" if workload.kind in EXEMPT_KINDS else REFUSED
        yield Effect(
            problem=f"{refused}: only the DaemonSet {daemon_set} may run in namespace {workload.namespace}",
            remedy="Move it to another namespace",
        )
