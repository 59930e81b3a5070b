"""The guard rails: rules that every plan must satisfy before it is applied.

Each rule is a function that takes a plan and yields its violations. The `preview`, `up`, `release` and `comment`
commands run all of them with `check`, and `quorum_survives` (ops/guardrails/quorum.py), which also reads the cluster.
The CrossGuard pack in policy/ runs those that need only the goal state.
"""

from collections.abc import Collection, Iterator, Sequence

from pydantic import JsonValue

from infra.names import DELETION_HOOK
from ops.guardrails.client_certificate import certificate_seen
from ops.guardrails.firewall import nodes_stay_connected
from ops.guardrails.node_facts import settings_match_nodes
from ops.guardrails.ranges import ranges_stay, recorded_ranges
from ops.guardrails.servers import stopped_servers
from ops.guardrails.violation import Rule, Violation
from ops.json_paths import dig
from ops.plain_text import plain_text
from ops.plan import Plan, State, Step, short_name
from ops.resource_types import (
    CLAIM,
    DAEMON_SET,
    DEPLOYMENT,
    FIREWALL,
    ORIGIN_CERTIFICATE,
    PRIMARY_IP,
    RECORD,
    SERVER,
    SSH_KEY,
    STATEFUL_SET,
    WORKER_SCRIPT,
    ZONE_SETTING,
)

MIGRATION = "Job::migrate"
NEEDS_MIGRATION = frozenset({"api", "worker"})
"""Deployments that read the database schema."""
UNPROTECTED = frozenset({"kubernetes:batch/v1:Job", SSH_KEY})
"""Types that the program replaces in normal operation and does not protect: migration Jobs, operators' SSH keys."""

CONSEQUENCES = {
    SERVER: "the server, its disk and its etcd member are lost permanently",
    PRIMARY_IP: ("Hetzner may assign the address to another customer, while DNS records still point to it"),
    FIREWALL: "every port of the nodes is open to the internet",
    RECORD: ("the name no longer resolves to this node, and without its last record to none"),
    ORIGIN_CERTIFICATE: ("Cloudflare revokes it and returns HTTP 526 as long as Traefik still serves it"),
    ZONE_SETTING: "Cloudflare keeps the value, which the program no longer manages",
    WORKER_SCRIPT: "its state is lost, and nobody is informed when the site is down",
    "tls:index/privateKey:PrivateKey": "the key is lost, and every certificate that was issued for it is useless",
    "kubernetes:core/v1:Namespace": "every object in it is deleted, and with honeydue the redis volume",
    CLAIM: "its volume is deleted, with redis' cache and queued jobs on it",
    **dict.fromkeys((DEPLOYMENT, STATEFUL_SET, DAEMON_SET), "its pods stop"),
}
"""What happens when a resource of this type is deleted."""


def no_deletion(plan: Plan) -> Iterator[Violation]:
    """Guard rail: no resource is deleted or replaced by accident, whether it is protected or not."""
    for step in plan.changes:
        if step.deletes and step.state.type not in UNPROTECTED and not _is_replacing(step, plan):
            cause = f", because {', '.join(step.changed)} changed" if step.changed else ""
            yield Violation(
                resource=step.short,
                rule=no_deletion.__name__,
                reason=f"would be {'deleted' if step.op == 'delete' else 'replaced'}{cause}: "
                + CONSEQUENCES.get(step.state.type, "production loses what it provides"),
                fix=_deletion_fix(step, plan),
                # The provider would create the new address first, and Hetzner refuses a name that is in use.
                confirmable=step.state.type != PRIMARY_IP or step.op == "delete",
            )


def stays_protected(plan: Plan) -> Iterator[Violation]:
    """Guard rail: every resource stays protected. The engine does not refuse to delete an unprotected one."""
    for step in plan.steps:
        # Only the new state counts. Protection that was lifted in the state is restored by the next `up`.
        if (
            step.new
            and step.new.managed
            and not step.new.protect
            and step.new.type not in UNPROTECTED
            and not _is_replacing(step, plan)
        ):
            yield Violation(
                resource=step.short,
                rule=stays_protected.__name__,
                reason="would no longer be protected: the engine would no longer refuse to delete it",
                fix="remove protect=False; infra/component.py protects every resource. "
                f"To confirm: {_allow_delete(plan, step.short)}",
                confirmable=True,
            )


def has_deletion_hook(plan: Plan) -> Iterator[Violation]:
    """Guard rail: a deletion that Hetzner would refuse does not start. This cannot be confirmed.

    The hook in the old state lifts Hetzner's delete protection (infra/machines/deletion.py).
    """
    for step in plan.changes:
        if (
            step.deletes
            and step.old
            and True in (step.old.inputs.get("deleteProtection"), step.old.outputs.get("deleteProtection"))
            and DELETION_HOOK not in step.old.resource_hooks.get("BeforeDelete", ())
        ):
            yield Violation(
                resource=step.short,
                rule=has_deletion_hook.__name__,
                reason="cannot be deleted yet: its state does not contain the hook that lifts Hetzner's delete "
                "protection. Hetzner would refuse, after the firewall has changed",
                fix=f"undo the change, run make up STACK={plan.stack}, which records the hook, and repeat the change",
            )


def one_server_at_a_time(plan: Plan) -> Iterator[Violation]:
    """Guard rail: a plan stops at most one server, because etcd needs two of the three. This cannot be confirmed."""
    stopped = stopped_servers(plan)
    if len(stopped) > 1:
        for step in stopped:
            others = ", ".join(other.short for other in stopped if other is not step)
            yield Violation(
                resource=step.short,
                rule=one_server_at_a_time.__name__,
                reason=f"would stop in the same plan as {others}: etcd would lose its quorum",
                fix="change one node, run make up, wait until `kubectl get nodes` shows it Ready, then change the next",
            )


def migration_first(plan: Plan) -> Iterator[Violation]:
    """Guard rail: new api and worker pods start only after the migration of the same image succeeded."""
    job = next((step.new for step in plan.steps if step.short == MIGRATION and step.new), None)
    for step in plan.changes:
        if step.new and step.new.type == DEPLOYMENT and step.new.name in NEEDS_MIGRATION:
            if MIGRATION not in map(short_name, step.new.dependencies):
                yield Violation(
                    resource=step.short,
                    rule=migration_first.__name__,
                    reason="would roll out without waiting for the migration: new pods would read the old schema",
                    fix="add the migration Job to its depends_on in __main__.py",
                )
            elif step.new.name == "api" and job and _image(job) != _image(step.new):
                yield Violation(
                    resource=step.short,
                    rule=migration_first.__name__,
                    reason="would run a different image than its migration",
                    fix="use settings.images.reference('api') for both",
                )


def no_unavailable_pods(plan: Plan) -> Iterator[Violation]:
    """Guard rail: a rollout keeps every old pod until its replacement is ready.

    A Deployment of one pod is exempt: two pods of it would share a volume or a lock that only one may use. A DaemonSet
    or StatefulSet replaces its pods in place, so it may stop one at a time.
    """
    for step in plan.changes:
        if step.new and step.new.type in (DAEMON_SET, STATEFUL_SET):
            unavailable = dig(step.new.inputs, "spec", "updateStrategy", "rollingUpdate", "maxUnavailable")
            # Without a value, Kubernetes stops one. It could also be a percentage.
            if unavailable not in (None, 0, 1):
                yield Violation(
                    resource=step.short,
                    rule=no_unavailable_pods.__name__,
                    reason=f"may stop {unavailable} pods at once",
                    fix="set maxUnavailable to 1 in its updateStrategy (infra/pods/controllers.py)",
                )
        if step.new and step.new.type == DEPLOYMENT:
            spec = step.new.inputs.get("spec")
            # Without `replicas`, a HorizontalPodAutoscaler sets the number.
            several = dig(spec, "replicas") is None or dig(spec, "replicas") not in (0, 1)
            if several and dig(spec, "strategy", "rollingUpdate", "maxUnavailable") != 0:
                yield Violation(
                    resource=step.short,
                    rule=no_unavailable_pods.__name__,
                    reason="may stop old pods before new ones are ready",
                    fix="set maxUnavailable to 0 in its strategy (infra/pods/controllers.py)",
                )


def no_plaintext_secrets(plan: Plan) -> Iterator[Violation]:
    """Guard rail: no secret is in plain text. A value that the plan shows is also readable in the state and in logs."""
    for step in plan.steps:
        paths = sorted({path for state in (step.new, step.old) if state for path in plain_text(state)})
        if paths:
            yield Violation(
                resource=step.short,
                rule=no_plaintext_secrets.__name__,
                reason=f"would contain a secret in plain text at {', '.join(paths)}",
                fix="use a secret setting or pulumi.Output.secret. If it was ever applied, rotate the secret",
            )


RULES: Sequence[Rule] = (
    no_deletion,
    stays_protected,
    has_deletion_hook,
    one_server_at_a_time,
    nodes_stay_connected,
    ranges_stay,
    settings_match_nodes,
    migration_first,
    no_unavailable_pods,
    no_plaintext_secrets,
    certificate_seen,
)


def check(
    plan: Plan,
    *,
    allow_delete: Collection[str] = (),
    nodes_have: Collection[str] = (),
    rules: Sequence[Rule] = RULES,
) -> Sequence[Violation]:
    """Return the violations of a plan, without those that `allow_delete` or `nodes_have` confirms.

    `allow_delete` holds short names ("Server::hetzner1") and ranges ("192.0.2.0/24"), `nodes_have` keys of settings.
    A name that confirms nothing
    is a violation too: it usually comes from a command for an earlier plan. A resource that the plan does not contain
    was already deleted, for example by an `up` that stopped halfway.
    """
    violations = [violation for rule in rules for violation in rule(plan)]
    changed_by_hand = {violation.resource for violation in violations if violation.manual}
    confirmable = {violation.resource for violation in violations if violation.confirmable}
    unused = [
        Violation(
            resource=name,
            rule=check.__name__,
            reason="is in ALLOW_DELETE, but this plan does not delete it",
            fix="remove it from ALLOW_DELETE and read the plan again"
            + (f"; the plan deletes {', '.join(sorted(confirmable))}" if confirmable else ""),
        )
        for name in allow_delete
        if name not in {violation.resource for violation in violations} and name not in missing(plan, allow_delete)
    ] + [
        Violation(
            resource=key,
            rule=check.__name__,
            reason="is in NODES_HAVE, but no existing node keeps another value in this plan",
            fix="remove it from NODES_HAVE and read the plan again",
        )
        for key in nodes_have
        if key not in changed_by_hand
    ]
    return [
        *unused,
        *(
            violation
            for violation in violations
            if not (violation.confirmable and violation.resource in allow_delete)
            and not (violation.manual and violation.resource in nodes_have)
        ),
    ]


def missing(plan: Plan, names: Collection[str]) -> Sequence[str]:
    """Those of the resources that the plan does not contain."""
    # With a refresh, a resource that no longer exists has a step as well.
    existing = {step.short for step in plan.steps if step.op != "refresh"} | set(recorded_ranges(plan))
    return [name for name in names if name not in existing]


def _is_replacing(step: Step, plan: Plan) -> bool:
    """Whether `honeydue:replacing` names this server. The setting is the confirmation, and lifts its protection."""
    replacing = plan.config.get("honeydue:replacing")
    return bool(replacing) and step.short == f"Server::{replacing}" and step.op != "delete"


def _deletion_fix(step: Step, plan: Plan) -> str:
    if step.op == "delete":
        return f"restore it in the settings or the program. To confirm the deletion: {_allow_delete(plan, step.short)}"
    if step.state.type == SERVER:
        command = f"pulumi config set honeydue:replacing {step.state.name} --stack {plan.stack}"
        up = f'make up STACK={plan.stack} REPLACE="{step.short}"'
        return f"revert that change. To replace this one node: {command}, then {up}"
    if step.state.type == PRIMARY_IP:
        return (
            "revert that change. Hetzner cannot move an address, and its name is in use. For a node in another "
            "location, add one with a new alias, then remove this one (docs/nodes.md#move-a-node)"
        )
    if step.state.type == CLAIM:
        return (
            "revert that change. Kubernetes cannot replace a claim that is in use. For a new, empty volume, or one on "
            f"another node: make new-volume STACK={plan.stack} APP=redis (docs/runbook.md#give-redis-a-new-volume)"
        )
    return f"revert that change. To confirm the replacement: {_allow_delete(plan, step.short)}"


def _allow_delete(plan: Plan, *resources: str) -> str:
    return f"""make up STACK={plan.stack} ALLOW_DELETE="{" ".join(resources)}\""""


def _image(state: State) -> JsonValue:
    containers = dig(state.inputs, "spec", "template", "spec", "containers")
    return dig(containers[0], "image") if isinstance(containers, list) and containers else None
