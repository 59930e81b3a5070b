"""Compares the connections of pods with the network policies in the plan.

A workload's spec does not contain its connections. Therefore each namespace whose policies isolate the pods is named,
unless a planned policy is about this workload.
"""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from infra.names import KUBE_SYSTEM
from ops.adoption.effects.effect import Effect, items, planned, setting
from ops.adoption.workloads import Workload
from ops.json_paths import dig
from ops.kubernetes import Object
from ops.plan import State

POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
NAMESPACE_LABEL = "kubernetes.io/metadata.name"


def effects(workload: Workload, states: Sequence[State], live_policies: Sequence[Object]) -> Iterator[Effect]:
    """Connections that the planned policies deny. They do not apply to pods on the host network."""
    if workload.pod.get("hostNetwork"):
        return
    policies = [state.inputs for state in planned(states, POLICY, workload.namespace)]
    selecting = [policy for policy in policies if _selects(policy, workload.labels)]
    specific = any(_labels(policy) for policy in selecting)
    egress, ingress = ("Egress", "to"), ("Ingress", "from")
    denied = [
        name
        for (direction, _), name in ((egress, "opens no connection"), (ingress, "accepts no connection"))
        if not specific and _denies(selecting, direction)
    ]
    until = _current(workload, live_policies, {dig(policy, "metadata", "name") for policy in policies})
    if denied:
        yield Effect(
            problem=f"its pod {' and '.join(denied)}{until}",
            remedy=f"Set {setting(workload, 'labels')}, {setting(workload, 'egress')} and "
            f"{setting(workload, 'ingress')}",
        )
    elif not specific and _only_within(selecting) and _listens(workload):
        yield Effect(
            problem=f"its pod accepts connections from namespace {workload.namespace} only{until}",
            remedy=f"Set {setting(workload, 'labels')} and {setting(workload, 'ingress')}",
        )
    system = [state.inputs for state in planned(states, POLICY, KUBE_SYSTEM)]
    if workload.namespace != KUBE_SYSTEM and system and not any(_admits(policy, workload) for policy in system):
        yield Effect(
            problem=f"its pod reaches port 53 of CoreDNS and nothing else in {KUBE_SYSTEM}, so not the metrics on 9153",
            remedy=f"If it scrapes them, add {{port: 9153, namespace: {KUBE_SYSTEM}, pods: {{k8s-app: kube-dns}}}} to "
            f"{setting(workload, 'egress')}",
        )


def _labels(policy: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    labels = dig(policy, "spec", "podSelector", "matchLabels")
    return labels if isinstance(labels, Mapping) else {}


def _selects(policy: Mapping[str, JsonValue], labels: Mapping[str, str]) -> bool:
    return _labels(policy).items() <= labels.items() and not dig(policy, "spec", "podSelector", "matchExpressions")


def _rules(policy: Mapping[str, JsonValue], direction: str) -> Sequence[JsonValue]:
    return items(dig(policy, "spec", direction.lower()))


def _denies(policies: Sequence[Mapping[str, JsonValue]], direction: str) -> bool:
    """Whether policies isolate the pods in this direction, and allow nothing."""
    isolating = [policy for policy in policies if direction in items(dig(policy, "spec", "policyTypes"))]
    return bool(isolating) and not any(_rules(policy, direction) for policy in isolating)


def _only_within(policies: Sequence[Mapping[str, JsonValue]]) -> bool:
    """Whether the policies allow ingress from pods of the same namespace, and from nothing else."""
    peers = [peer for policy in policies for rule in _rules(policy, "Ingress") for peer in items(dig(rule, "from"))]
    return bool(peers) and all(isinstance(peer, Mapping) and set(peer) == {"podSelector"} for peer in peers)


def _listens(workload: Workload) -> bool:
    return any(container.get("ports") for container in workload.containers)


def _admits(policy: Mapping[str, JsonValue], workload: Workload) -> bool:
    """Whether the policy names the workload's pods as a source, by their labels."""
    for rule in _rules(policy, "Ingress"):
        for peer in items(dig(rule, "from")):
            namespace = dig(peer, "namespaceSelector", "matchLabels", NAMESPACE_LABEL)
            labels = dig(peer, "podSelector", "matchLabels")
            if (
                namespace == workload.namespace
                and isinstance(labels, Mapping)
                and labels.items() <= workload.labels.items()
            ):
                return True
    return False


def _current(workload: Workload, live_policies: Sequence[Object], planned_names: set[JsonValue]) -> str:
    """The existing policies that still allow connections of the workload until somebody deletes them."""
    names = sorted(
        policy["metadata"]["name"]
        for policy in live_policies
        if policy["metadata"]["namespace"] == workload.namespace
        and policy["metadata"]["name"] not in planned_names
        and _selects(policy, workload.labels)
        and (_rules(policy, "Ingress") or _rules(policy, "Egress"))
    )
    return f", except as {', '.join(names)} allows until it is deleted" if names else ""
