"""Finds workloads that lose the token of the ServiceAccount `default`."""

from collections.abc import Iterator, Sequence

from ops.adoption.effects.effect import Effect, planned
from ops.adoption.workloads import Workload
from ops.json_paths import dig
from ops.plan import State

DEFAULT = "default"
ACCOUNT_PATCH = "kubernetes:core/v1:ServiceAccountPatch"


def effects(workload: Workload, states: Sequence[State]) -> Iterator[Effect]:
    """Pods of the account `default` whose spec does not set `automountServiceAccountToken`."""
    withheld = any(
        dig(state.inputs, "metadata", "name") == DEFAULT and dig(state.inputs, "automountServiceAccountToken") is False
        for state in planned(states, ACCOUNT_PATCH, workload.namespace)
    )
    account = workload.pod.get("serviceAccountName") or DEFAULT
    if withheld and account == DEFAULT and workload.pod.get("automountServiceAccountToken") is None:
        yield Effect(
            problem="the next pod gets no token of ServiceAccount default",
            remedy="If it calls the Kubernetes API, give it a ServiceAccount, "
            "or set automountServiceAccountToken in its pod template",
        )
