"""Compares the resources of pods with the LimitRange and the ResourceQuota in the plan."""

from collections.abc import Iterator, Mapping, Sequence

from infra.settings.other_workloads import OtherWorkload
from ops.adoption.effects.effect import REFUSED, Effect, items, planned, setting, settings_of
from ops.adoption.workloads import Workload
from ops.json_paths import dig
from ops.kubernetes import amount
from ops.plan import State

LIMIT_RANGE = "kubernetes:core/v1:LimitRange"
QUOTA = "kubernetes:core/v1:ResourceQuota"


def effects(workload: Workload, states: Sequence[State], others: Mapping[str, OtherWorkload]) -> Iterator[Effect]:
    """Containers above the LimitRange, and pods that the quota has no room for."""
    for limit_range in planned(states, LIMIT_RANGE, workload.namespace):
        for limits in items(dig(limit_range.inputs, "spec", "limits")):
            yield from _above(workload, dig(limits, "max"))  # type: ignore[arg-type]
    other = settings_of(workload, others)
    room = other.pods if other else 0
    if room < workload.replicas:
        for quota in planned(states, QUOTA, workload.namespace):
            name = dig(quota.inputs, "metadata", "name")
            yield Effect(
                problem=f"ResourceQuota {name} has room for {room} of its {_pods(workload.replicas)}, so that during a "
                "release its pods or those of the apps can be refused",
                remedy=f"Set {setting(workload, 'pods')} and {setting(workload, 'resources')}",
            )


def _pods(number: int) -> str:
    return f"{number} pod{'' if number == 1 else 's'}"


def _above(workload: Workload, maximum: Mapping[str, str] | None) -> Iterator[Effect]:
    for container in workload.containers:
        limits: Mapping[str, str] = (container.get("resources") or {}).get("limits") or {}
        above = [
            f"{name} {limits[name]} (at most {most})"
            for name, most in (maximum or {}).items()
            if name in limits and amount(limits[name]) > amount(most)
        ]
        if above:
            yield Effect(
                problem=f"{REFUSED}: the LimitRange does not admit container {container['name']} "
                f"with a limit of {', '.join(above)}",
                remedy=f"Set {setting(workload, 'resources')}, or lower the limit",
            )
