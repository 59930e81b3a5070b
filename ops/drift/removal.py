"""Removes undeclared fields and list elements from objects, as part of an `up` with a refresh.

The engine does not: server-side apply keeps the fields of other managers, and the provider applies nothing where the
declared fields are unchanged.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pydantic import ConfigDict

from ops import kubernetes
from ops.adoption.field_managers import FIELDS, OwnershipTransfer, transferred
from ops.drift.comparison import METADATA, Pointer
from ops.drift.live import KUBERNETES, CachedCluster, live_objects
from ops.drift.managed_fields import FieldSet, applied_entry, without
from ops.drift.objects import OWNERS, ObjectDrift, object_drifts
from ops.drift.rows import last_steps
from ops.engine.preview import make_plan
from ops.engine.stack import Settings, read_checkpoint, read_settings
from ops.errors import OpsError
from ops.kubernetes import Cluster, Object, Operation, unchanged
from ops.plan import Change, Diagnostic, Plan, State, Step

MANAGER = "honeydue-ops"
"""The field manager of a removal. Its fields are transferred to the program."""
ATTEMPTS = 5
NOT_READ = "Fields that others added to objects of the cluster are not put back, because the objects could not be read"


class RefreshedPlan(Plan):
    """A plan that was made with a refresh. Its steps contain the removals."""

    # The removals are no JSON of the engine.
    model_config = ConfigDict(arbitrary_types_allowed=True)

    removals: Sequence["Removal"] = ()


@dataclass(frozen=True, kw_only=True)
class Removal:
    """The undeclared values of one object."""

    drift: ObjectDrift

    def __str__(self) -> str:
        managers = sorted({manager for item in self.drift.differences for manager in item.managers})
        return f"{self.drift.short} {', '.join(self.paths)}" + (f" (by {', '.join(managers)})" if managers else "")

    @property
    def paths(self) -> Sequence[str]:
        owners = [] if self.drift.has_owners else [OWNERS]
        return [*(item.path for item in self.drift.differences if item.undeclared), *owners]

    def apply(self, cluster: Cluster) -> None:
        """Remove them. Raises an OpsError if somebody changed the object since the plan was computed."""
        live = self._read(cluster)
        if _content(live) != _content(self.drift.live):
            raise OpsError(
                f"{self.drift.short} changed since the plan was computed, and was not changed here. "
                "Run the command again to see the new plan"
            )
        live = cluster.patch(live, list(self._operations(live)), manager=MANAGER)
        # Otherwise the next apply of the program would conflict with this manager. A controller writes the status of
        # the object at the same time.
        for attempt in range(1, ATTEMPTS + 1):
            fields = self._owned_by_program(live)
            try:
                if fields:
                    OwnershipTransfer(live=live, managed_fields=fields).apply(cluster)
                return
            except OpsError:
                if attempt == ATTEMPTS:
                    raise
            live = self._read(cluster)

    def _read(self, cluster: Cluster) -> Object:
        metadata = self.drift.live["metadata"]
        live = cluster.get(
            self.drift.live["apiVersion"], self.drift.live["kind"], metadata.get("namespace"), metadata["name"]
        )
        if live is None:
            raise OpsError(f"{self.drift.short} was deleted since the plan was computed. Run the command again")
        return live

    def _owned_by_program(self, live: Object) -> Sequence[Mapping[str, object]]:
        if not self.drift.has_owners:
            return [applied_entry(self.drift.manager, self.drift.declared)]
        managers = {MANAGER, *(manager for item in self.drift.differences for manager in item.managers)}
        # The API server gives a removed field its default. That default has no owner.
        entries = [
            {**entry, FIELDS: self._without_removed(entry[FIELDS])} if entry["manager"] in managers else entry
            for entry in live["metadata"].get("managedFields") or []
        ]
        return transferred(self.drift.manager, live["apiVersion"], entries, lambda entry: entry["manager"] in managers)

    def _without_removed(self, fields: FieldSet) -> FieldSet:
        for pointer in self._pointers():
            if isinstance(pointer[-1], str):
                fields = without(fields, self.drift.live, pointer)
        return fields

    def _pointers(self) -> Sequence[Pointer]:
        """The removed values: from the end of a list, because a removal shifts the elements after it."""
        pointers = [pointer for item in self.drift.differences for pointer in item.undeclared]
        return sorted(pointers, key=_order, reverse=True)

    def _operations(self, live: Object) -> Iterator[Operation]:
        yield unchanged(live)
        for pointer in self._pointers():
            yield {"op": "remove", "path": "".join(f"/{_escaped(key)}" for key in pointer)}


def refreshed_plan(stack: str, flags: Sequence[str] = ()) -> Plan:
    """What an `up` with a refresh would change, including the removals. Changes nothing."""
    with ThreadPoolExecutor() as executor:
        # At the same time, because each of them runs the engine.
        refreshed = executor.submit(make_plan, stack, refresh=True, flags=flags)
        checkpoint = executor.submit(read_checkpoint, stack, show_secrets=True)
        settings, resources = read_settings(stack), checkpoint.result().resources
        try:
            live = _read_live(stack, settings, resources)
        except OpsError as error:
            # For example, a cluster that is replaced. The engine may reach it with the program's kubeconfig.
            warning = Diagnostic(message=f"{NOT_READ}: {error}", severity="warning")
            plan = refreshed.result()
            return plan.model_copy(update={"diagnostics": [*plan.diagnostics, warning]})
        plan = refreshed.result()
    return with_removals(plan, object_drifts(plan, resources, live))


def _read_live(stack: str, settings: Settings, resources: Collection[State]) -> Mapping[str, Object]:
    if not any(state.type.startswith(KUBERNETES) for state in resources):
        return {}
    with kubernetes.connect(stack, settings) as connected:
        return live_objects(CachedCluster(connected), resources)


def with_removals(plan: Plan, drifts: Collection[ObjectDrift]) -> RefreshedPlan:
    """The plan with the undeclared values of these objects as deleted properties, so that it is checked like any."""
    removals = {removal.drift.urn: removal for drift in drifts if (removal := Removal(drift=drift)).paths}
    last = {id(step) for step in last_steps(plan)}
    steps = [
        _with_removal(step, removals[step.urn]) if id(step) in last and step.urn in removals else step
        for step in plan.steps
    ]
    return RefreshedPlan(
        refreshed=True,
        config=plan.config,
        steps=steps,
        diagnostics=plan.diagnostics,
        removals=list(removals.values()),
    )


def _with_removal(step: Step, removal: Removal) -> Step:
    diff = {**(step.detailed_diff or {}), **dict.fromkeys(removal.paths, Change(kind="delete"))}
    return step.model_copy(update={"op": step.op if step.changes_resource else "update", "detailed_diff": diff})


def removals_of(plan: Plan) -> Sequence[Removal]:
    return plan.removals if isinstance(plan, RefreshedPlan) else ()


def remove(stack: str, plan: Plan) -> None:
    """Apply the removals of a plan."""
    if removals := removals_of(plan):
        with kubernetes.connect(stack, read_settings(stack)) as cluster:
            for removal in removals:
                removal.apply(cluster)


def _content(live: Object) -> Object:
    """What only people and programs change: not the status, and not who owns which field."""
    metadata = {key: live["metadata"].get(key) for key in METADATA}
    return {**{key: value for key, value in live.items() if key != "status"}, "metadata": metadata}


def _order(pointer: Pointer) -> list[tuple[int, str]]:
    return [(key, "") if isinstance(key, int) else (-1, key) for key in pointer]


def _escaped(key: str | int) -> str:
    """A key in a JSON pointer (RFC 6901)."""
    return str(key).replace("~", "~0").replace("/", "~1")
