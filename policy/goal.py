"""Rules over a plan as policies over a goal state.

CrossGuard shows a policy what shall be, never what was: no deletion, no replacement, nothing of the order of changes. It also opens
secrets. So the rules about losses, about servers that stop and about plain text stay with `python -m ops`.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence

from pulumi_policy import PolicyResource, ReportViolation, StackValidationArgs, StackValidationPolicy
from pydantic import JsonValue

from ops.guardrails.rules import DEPLOYMENT, Rule, migration_first, no_unavailable_pods, stays_protected
from ops.plan import Plan, State, Step

RULES: Sequence[Rule] = (stays_protected, migration_first, no_unavailable_pods)
OWN = "honeydue:"
"""Types of the program's own components, which stand for nothing in the world."""
READ = frozenset({DEPLOYMENT, "kubernetes:batch/v1:Job"})
"""What the rules look into. Elsewhere an input may not be known yet, and to look at it would end the policy."""


def policies() -> list[StackValidationPolicy]:
    return [policy(rule) for rule in RULES]


def policy(rule: Rule) -> StackValidationPolicy:
    """One rule, reported at the resource that breaks it."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        plan = goal(args.resources)
        urns = {step.short: step.urn for step in plan.steps}
        for violation in rule(plan):
            report(f"{violation.resource} {violation.reason}: {violation.fix}", urns[violation.resource])

    return StackValidationPolicy(
        name=rule.__name__.replace("_", "-"), description=inspect.getdoc(rule) or rule.__name__, validate=validate
    )


def goal(resources: Sequence[PolicyResource]) -> Plan:
    """The goal state as a plan that makes all of it, whatever stands already: every rule then looks at every resource."""
    return Plan(steps=tuple(steps(resources)))


def steps(resources: Sequence[PolicyResource]) -> Iterator[Step]:
    for one in resources:
        state = State(
            urn=one.urn,
            type=one.resource_type,
            custom=not one.resource_type.startswith(OWN),
            protect=one.opts.protect,
            inputs={key: plain(value) for key, value in one.props.items()} if one.resource_type in READ else {},
            dependencies=tuple(dependency.urn for dependency in one.dependencies),
        )
        yield Step(op="update", urn=one.urn, new=state)


def plain(value: object) -> JsonValue:
    """The JSON behind the SDK's proxies, which refuse to give a value that is not known yet."""
    match value:
        case Mapping():
            return {str(key): plain(one) for key, one in value.items()}
        case str() | bool() | int() | float() | None:
            return value
        case Sequence():
            return [plain(one) for one in value]
        case _:
            raise TypeError(f"a policy was shown a {type(value).__name__}, which is no JSON")
