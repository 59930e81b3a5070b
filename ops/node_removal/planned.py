"""The node that a plan removes. This module is part of every `up`, and loads no client."""

from collections.abc import Sequence
from dataclasses import dataclass

from ops.guardrails.servers import surviving_servers
from ops.plan import Plan, short_name
from ops.resource_types import FIREWALL, NETWORK_POLICY, SERVER


@dataclass(frozen=True, kw_only=True)
class Removal:
    """A server that a plan deletes while others stay. `node` is its name at Hetzner and in Kubernetes.

    Attributes:
        urn: of the server.
        id: Hetzner's numeric id of the server.
        network: URNs of the firewall and of the network policies that the plan changes.
    """

    urn: str
    id: int
    node: str
    network: Sequence[str]

    def __str__(self) -> str:
        return (
            f"{short_name(self.urn)} is removed: its records are deleted first. Then node {self.node} is drained, its "
            "server is powered off, and the Node is deleted together with its etcd member. The server, the firewall "
            "and the network policies follow."
        )


def removal_of(plan: Plan) -> Removal | None:
    """The node that the plan removes. A guard rail refuses a plan with several."""
    if not surviving_servers(plan):
        return None
    for step in plan.changes:
        if step.op == "delete" and step.state.type == SERVER and step.old:
            return Removal(
                urn=step.urn,
                id=int(step.old.id),
                node=str(step.old.inputs["name"]),
                network=[
                    change.urn
                    for change in plan.changes
                    if change.op == "update" and change.state.type in (FIREWALL, NETWORK_POLICY)
                ],
            )
    return None
