"""One effect of an `up` on an undeclared workload."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from infra.settings.other_workloads import OtherWorkload
from ops.adoption.workloads import Workload
from ops.json_paths import dig
from ops.plan import State

REFUSED = "the next pod is refused"


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What happens, and the setting or the change of the workload that prevents it."""

    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}"


def setting(workload: Workload, key: str) -> str:
    """The path of a setting of the workload."""
    return f"honeydue:otherWorkloads.{workload.name}.{key}"


def settings_of(workload: Workload, others: Mapping[str, OtherWorkload]) -> OtherWorkload | None:
    """The workload's entry in `honeydue:otherWorkloads`, by its namespace and the labels of its pods."""
    for other in others.values():
        if other.namespace == workload.namespace and other.labels.items() <= workload.labels.items():
            return other
    return None


def planned(states: Sequence[State], type_: str, namespace: str) -> Iterator[State]:
    """The planned objects of a type in a namespace."""
    for state in states:
        if state.type == type_ and dig(state.inputs, "metadata", "namespace") == namespace:
            yield state


def items(value: JsonValue) -> Sequence[JsonValue]:
    """The items of a list, or nothing."""
    return value if isinstance(value, list) else ()
