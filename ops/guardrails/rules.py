"""The promises to the user as rules over any plan: plain functions, a plan in, what it would break out.

Preview, up, release and CI run `check` before anything is applied.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from ops.plain_text import plain_text
from ops.plan import Plan, State, Step, short_name

SERVER = "hcloud:index/server:Server"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
MIGRATION = "Job::migrate"
NEEDS_SCHEMA = frozenset({"api", "worker"})
EXPENDABLE = frozenset({"kubernetes:batch/v1:Job", "hcloud:index/sshKey:SshKey"})
"""What the program replaces as it goes and does not protect: a release's migration, an operator's key."""

CONSEQUENCES = {
    SERVER: "the machine, its disk and its share of etcd are gone for good",
    "hcloud:index/primaryIp:PrimaryIp": "Hetzner gives the address to somebody else, and what points at it points at a stranger",
    "hcloud:index/firewall:Firewall": "the nodes stand open to the internet",
    "cloudflare:index/dnsRecord:DnsRecord": "that node is no longer found by this name; with its last record, the name itself is gone",
    "cloudflare:index/originCaCertificate:OriginCaCertificate": "Cloudflare revokes it, and answers 526 wherever Traefik still shows it",
    "cloudflare:index/zoneSetting:ZoneSetting": "Cloudflare keeps the value, and nothing here watches it any more",
    "tls:index/privateKey:PrivateKey": "the key is lost, and whatever was signed for it is worth nothing",
    "kubernetes:core/v1:Namespace": "everything in it goes with it, the redis volume too",
    CLAIM: "its volume is deleted, with the cache and the queued jobs on it",
    DEPLOYMENT: "its pods stop",
}
"""What it means that one of these is gone, by type."""
STOPPING = frozenset({"serverType", "publicNets", "placementGroupId"})
"""Changes for which Hetzner powers a server off (https://docs.hetzner.cloud/#server-actions)."""


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A promise that a plan would break: of which resource, why, and what to do where it is meant or a mistake."""

    resource: str
    rule: str
    reason: str
    how: str
    may_be_meant: bool = False


Rule = Callable[[Plan], Iterator[Violation]]


def nothing_is_lost(plan: Plan) -> Iterator[Violation]:
    """Promise 3: no server, address, record, zone or volume is deleted or replaced by accident. The same for all else that serves."""
    for step in plan.changes:
        if step.loses and step.state.type not in EXPENDABLE and not _announced(step, plan):
            because = f", as {', '.join(step.changed)} changed" if step.changed else ""
            yield Violation(
                resource=step.short,
                rule=nothing_is_lost.__name__,
                reason=f"would be {'deleted' if step.op == 'delete' else 'replaced'}{because}: "
                + CONSEQUENCES.get(step.state.type, "what it does in production ends"),
                how=_to_lose(step, plan),
                may_be_meant=True,
            )


def all_is_protected(plan: Plan) -> Iterator[Violation]:
    """Promise 3, the plan after this one: what loses its protection now could be deleted next time without a word."""
    for step in plan.steps:
        # By hand from the state is no violation: the program puts it back with the next `up`.
        if (
            step.new
            and step.new.real
            and not step.new.protect
            and step.new.type not in EXPENDABLE
            and not _announced(step, plan)
        ):
            yield Violation(
                resource=step.short,
                rule=all_is_protected.__name__,
                reason="would no longer be protected, so that the engine lets the next change delete it",
                how=f"leave protect to the component it stands in (infra/component.py). Where it is meant: {_mean(plan, step.short)}",
                may_be_meant=True,
            )


def one_server_at_a_time(plan: Plan) -> Iterator[Violation]:
    """Promise 3, and etcd's majority: of three servers two must run at any moment, so a plan stops one at most. Not to be excused."""
    stopped = [
        step
        for step in plan.changes
        if step.state.type == SERVER and (step.loses or STOPPING & set(map(_top, step.changed)))
    ]
    if len(stopped) > 1:
        for step in stopped:
            yield Violation(
                resource=step.short,
                rule=one_server_at_a_time.__name__,
                reason=f"would stop in the same plan as {', '.join(one.short for one in stopped if one is not step)}, and etcd with them",
                how="change one node, apply, wait until `kubectl get nodes` calls it Ready, then the next",
            )


def migration_comes_first(plan: Plan) -> Iterator[Violation]:
    """Promise 2: no new api or worker pod before its migration succeeded, and api's pods run what was migrated."""
    job = next((step.new for step in plan.steps if step.short == MIGRATION and step.new), None)
    for step in plan.changes:
        if step.new and step.new.type == DEPLOYMENT and step.new.name in NEEDS_SCHEMA:
            if MIGRATION not in map(short_name, step.new.dependencies):
                yield Violation(
                    resource=step.short,
                    rule=migration_comes_first.__name__,
                    reason="would roll without waiting for the migration: new pods would meet the old schema",
                    how="give it after=[schema.job, …] in __main__.py",
                )
            elif step.new.name == "api" and job and _image(job) != _image(step.new):
                yield Violation(
                    resource=step.short,
                    rule=migration_comes_first.__name__,
                    reason="would run another image than the migration before it",
                    how="let both take settings.images.reference('api')",
                )


def no_pod_is_lost(plan: Plan) -> Iterator[Violation]:
    """Promise 2: no old pod is lost while the new ones are not ready. Lone pods may be: two of them would share what is one."""
    for step in plan.changes:
        if step.new and step.new.type == DEPLOYMENT:
            spec = step.new.inputs.get("spec")
            several = _dig(spec, "replicas") is None or _dig(spec, "replicas") not in (0, 1)
            if several and _dig(spec, "strategy", "rollingUpdate", "maxUnavailable") != 0:
                yield Violation(
                    resource=step.short,
                    rule=no_pod_is_lost.__name__,
                    reason="may stop old pods before new ones are ready",
                    how="roll it with maxUnavailable 0 (strategy in infra/apps/workload.py)",
                )


def secrets_stay_secret(plan: Plan) -> Iterator[Violation]:
    """Promise 6: no secret in plain text. What the engine shows in a plan, it also writes to the state and to logs."""
    for step in plan.steps:
        places = sorted({place for state in (step.new, step.old) if state for place in plain_text(state)})
        if places:
            yield Violation(
                resource=step.short,
                rule=secrets_stay_secret.__name__,
                reason=f"would hold a secret in plain text at {', '.join(places)}",
                how="make it of a secret setting or pulumi.Output.secret; if it was ever applied, change it where it is used",
            )


RULES: Sequence[Rule] = (
    nothing_is_lost,
    all_is_protected,
    one_server_at_a_time,
    migration_comes_first,
    no_pod_is_lost,
    secrets_stay_secret,
)


def check(plan: Plan, *, meant: Collection[str] = (), rules: Sequence[Rule] = RULES) -> Sequence[Violation]:
    """What the plan would break. `meant` names resources ("Server::hetzner1") whose loss was meant; a name for nothing is refused too.

    A name that is meant to no end is an old command run again, on a plan that is another one.
    """
    found = [violation for rule in rules for violation in rule(plan)]
    excusable = {violation.resource for violation in found if violation.may_be_meant}
    idle = [
        Violation(
            resource=name,
            rule=check.__name__,
            reason="was meant, but this plan does not lose it",
            how="take it out of MEAN, and look at the plan again"
            + (f"; it loses {', '.join(sorted(excusable))}" if excusable else ""),
        )
        for name in meant
        if name not in excusable
    ]
    return [*idle, *(one for one in found if not (one.may_be_meant and one.resource in meant))]


def _announced(step: Step, plan: Plan) -> bool:
    """Whether `honeydue:replacing` says that this server is to be made anew: it lifts the server's protection itself."""
    replacing = plan.config.get("honeydue:replacing")
    return bool(replacing) and step.short == f"Server::{replacing}" and step.op != "delete"


def _to_lose(step: Step, plan: Plan) -> str:
    if step.op == "delete":
        return f"bring it back into the settings or the program. Where it is meant: {_mean(plan, step.short)}"
    if step.state.type == SERVER:
        command = f"pulumi config set honeydue:replacing {step.state.name} --stack {plan.stack}"
        return f"take that change back. To make one node anew: {command}, then make up"
    if step.state.type == CLAIM:
        return "take that change back. For another volume: another CLAIM in infra/apps/redis.py, as one that is in use cannot be replaced"
    return f"take that change back. Where it is meant: {_mean(plan, step.short)}"


def _mean(plan: Plan, *resources: str) -> str:
    return f"""make up STACK={plan.stack} MEAN="{" ".join(resources)}\""""


def _top(path: str) -> str:
    """The property that a path begins with: "publicNets" of "publicNets[0].ipv4"."""
    return path.partition("[")[0].partition(".")[0]


def _dig(value: JsonValue, *keys: str) -> JsonValue:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _image(state: State) -> JsonValue:
    containers = _dig(dict(state.inputs), "spec", "template", "spec", "containers")
    return _dig(containers[0], "image") if isinstance(containers, list) and containers else None
