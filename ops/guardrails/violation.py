"""A violation of a guard rail, and the type of the rules."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ops.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One way in which a plan breaks a guard rail.

    Attributes:
        resource: short name of the resource, "Server::hetzner1", or key of the setting, "honeydue:cluster.network".
        rule: name of the rule.
        reason: what the plan would do to the resource.
        fix: what to change, or the command that confirms the deletion.
        confirmable: whether naming the resource in `ALLOW_DELETE` lifts the violation.
        manual: whether naming the setting in `NODES_HAVE` lifts it: an operator has changed the nodes.
    """

    resource: str
    rule: str
    reason: str
    fix: str
    confirmable: bool = False
    manual: bool = False


Rule = Callable[[Plan], Iterator[Violation]]
