"""The guard rail for the state of the other servers: a server only stops while etcd keeps its quorum without it.

A plan does not contain this state. It is read from the cluster: the condition Ready of each Node, and EtcdIsVoter, with
which k3s reports whether a server is a voting member of etcd (pkg/etcd/etcd.go).
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ops.conditions import condition, is_true
from ops.engine.stack import read_settings
from ops.errors import OpsError
from ops.guardrails.servers import stopped_servers, surviving_servers
from ops.guardrails.violation import Violation
from ops.json_paths import dig
from ops.plan import Plan, Step

if TYPE_CHECKING:
    from ops.kubernetes import Object

SERVER_LABELS = frozenset({"node-role.kubernetes.io/etcd", "node-role.kubernetes.io/control-plane"})
REPAIR_ACCESS = (
    "check that the API server responds to the kubeconfig of this stack. If etcd has lost its quorum: docs/restore.md"
)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A Node with a control plane.

    Attributes:
        hostname: the name of the Node.
        ready: whether the Node is Ready.
        votes: whether it is a voting member of etcd. A learner has no vote yet, and does not count for the quorum.
    """

    hostname: str
    ready: bool
    votes: bool

    @classmethod
    def of(cls, node: "Object") -> Self | None:
        """None for an agent."""
        if not SERVER_LABELS & node["metadata"].get("labels", {}).keys():
            return None
        return cls(
            hostname=node["metadata"]["name"],
            ready=is_true(node, "Ready"),
            # k3s with another datastore than etcd reports no such condition.
            votes=condition(node, "EtcdIsVoter").get("status", "True") == "True",
        )


def lost_quorum(stack: str, plan: Plan) -> Sequence[Violation]:
    """The violations of a plan that stops a server, according to the cluster's present state."""
    steps = stopped_servers(plan)
    if not steps:
        return ()
    # Imported here, because the Kubernetes client is slow to import and hardly any plan stops a server.
    from ops import kubernetes  # noqa: PLC0415

    try:
        with kubernetes.connect(stack, read_settings(stack)) as cluster:
            nodes = cluster.nodes()
    except OpsError as error:
        return [
            _violation(
                step, f"would stop, but the state of the other servers could not be read: {error}", REPAIR_ACCESS
            )
            for step in steps
        ]
    return list(quorum_survives(plan, nodes))


def quorum_survives(plan: Plan, nodes: "Sequence[Object]") -> Iterator[Violation]:
    """Guard rail: no server stops while etcd would lose its quorum. This cannot be confirmed.

    Of two servers, one may be resized or removed while the other is Ready: etcd responds again when the server is back,
    or when its member is removed. One server may always stop.
    """
    servers = [server for node in nodes if (server := Server.of(node))]
    for step in stopped_servers(plan):
        hostname = _hostname(step)
        members = [server for server in servers if server.votes]
        if hostname not in {member.hostname for member in members}:
            continue  # an agent, or a server that is no member of etcd
        others = [server for server in servers if server.hostname != hostname]
        missing = _declared(plan) - {hostname, *(server.hostname for server in others)}
        not_ready = sorted({server.hostname for server in others if not server.ready} | missing)
        learners = sorted(server.hostname for server in others if server.ready and not server.votes)
        remaining = sum(server.ready and server.votes for server in others)
        needed = len(members) // 2 + 1
        if remaining >= needed:
            continue
        if not_ready or learners:
            problems = [f"{name} is not Ready" for name in not_ready]
            problems += [f"{name} is not yet a voting member of etcd" for name in learners]
            yield _violation(
                step,
                f"would stop while {' and '.join(problems)}: etcd has {len(members)} members and needs {needed}, "
                f"and would have {remaining}",
                f"repair {not_ready[0]} first (docs/nodes.md#inspect-a-node). Run the command again when "
                "`kubectl get nodes` shows it Ready"
                if not_ready
                else f"run the command again when `kubectl describe node {learners[0]}` shows EtcdIsVoter True",
            )
        elif len(members) > 1 and step.op not in ("update", "delete"):
            yield _violation(
                step,
                f"would be replaced, but etcd has {len(members)} members and needs {needed}: without this one, it "
                "accepts no new member",
                "add another server first (docs/architecture.md#add-a-node), wait until it is Ready, then replace this "
                "one",
            )


def _violation(step: Step, reason: str, fix: str) -> Violation:
    return Violation(resource=step.short, rule=quorum_survives.__name__, reason=reason, fix=fix)


def _hostname(step: Step) -> str:
    state = step.old or step.state
    return str(state.inputs.get("name"))


def _declared(plan: Plan) -> AbstractSet[str]:
    """Hostnames of the servers that exist, survive the plan and have a control plane according to the settings."""
    nodes = plan.setting("honeydue:nodes")
    survivors = set(surviving_servers(plan))
    return {
        str(dig(node, "hostname"))
        for alias, node in (nodes if isinstance(nodes, dict) else {}).items()
        if alias in survivors and dig(node, "role") in (None, "server")
    }
