"""Rules for a plan as policies for a goal state.

CrossGuard passes the goal state of all resources to a policy, and not their old state. A policy therefore cannot see
deletions, replacements or the order of changes, and it sees secrets in plain text. The rules about those, about servers
that are powered off, about existing nodes and about plain-text secrets run only in `python -m ops`.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulumi_policy import PolicyResource, ReportViolation, StackValidationArgs, StackValidationPolicy
from pulumi_policy.proxy import UnknownValueError
from pydantic import JsonValue

from ops.engine.sentinels import UNKNOWN
from ops.guardrails.rules import migration_first, no_unavailable_pods, stays_protected
from ops.guardrails.violation import Rule
from ops.plan import Plan, State, Step
from ops.resource_types import DAEMON_SET, DEPLOYMENT, STATEFUL_SET

RULES: Sequence[Rule] = (stays_protected, migration_first, no_unavailable_pods)
COMPONENT_PREFIX = "honeydue:"
"""Start of the type tokens of the program's component resources."""
TYPES_WITH_INPUTS = frozenset({DEPLOYMENT, DAEMON_SET, STATEFUL_SET, "kubernetes:batch/v1:Job"})
"""Types whose inputs the rules read."""


def policies() -> list[StackValidationPolicy]:
    """One policy for each rule that needs only the goal state."""
    return [policy(rule) for rule in RULES]


def policy(rule: Rule) -> StackValidationPolicy:
    """A policy that reports each violation of the rule at the resource that causes it."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        plan = goal_plan(args.resources)
        urns = {step.short: step.urn for step in plan.steps}
        for violation in rule(plan):
            report(f"{violation.resource} {violation.reason}: {violation.fix}", urns[violation.resource])

    return StackValidationPolicy(
        name=rule.__name__.replace("_", "-"), description=inspect.getdoc(rule) or rule.__name__, validate=validate
    )


def goal_plan(resources: Sequence[PolicyResource]) -> Plan:
    """A plan that updates all resources of the goal state, so that a rule checks each of them."""
    return Plan(steps=tuple(update_steps(resources)))


def update_steps(resources: Sequence[PolicyResource]) -> Iterator[Step]:
    for resource in resources:
        read_inputs = resource.resource_type in TYPES_WITH_INPUTS
        state = State(
            urn=resource.urn,
            type=resource.resource_type,
            custom=not resource.resource_type.startswith(COMPONENT_PREFIX),
            protect=resource.opts.protect,
            inputs={key: item(resource.props, key) for key in resource.props} if read_inputs else {},
            dependencies=tuple(dependency.urn for dependency in resource.dependencies),
        )
        yield Step(op="update", urn=resource.urn, new=state)


def item(container: Any, key: str | int) -> JsonValue:  # noqa: ANN401  # a mapping or a sequence
    """The JSON value of an item of the SDK's proxy objects.

    A proxy raises an exception for an unknown value, for example the checksum of a file that contains the expiry of a
    new certificate. The SDK would turn the violations of the whole policy into one advisory message.
    """
    try:
        return plain_json(container[key])
    except UnknownValueError:
        return UNKNOWN


def plain_json(value: object) -> JsonValue:
    """The JSON value of the SDK's proxy objects."""
    match value:
        case Mapping():
            return {str(key): item(value, key) for key in value}
        case str() | bool() | int() | float() | None:
            return value
        case Sequence():
            return [item(value, index) for index in range(len(value))]
        case _:
            raise TypeError(f"expected a JSON value in a resource's inputs, not {type(value).__name__}")
