"""Finds what acts on the stack's hosts in their Cloudflare zone, and what the program does not declare.

A refresh covers only resources in the state. A page rule, a rule of a ruleset or a Worker runs before the origin: it
can redirect visitors, send them to another server, or turn off the encryption to the origin.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from pydantic import JsonValue

from ops.adoption.lookups.cloudflare import Cloudflare
from ops.drift.rows import NOT_DECLARED, DriftRow
from ops.errors import ForbiddenError
from ops.json_paths import dig
from ops.permissions import PHASES, READ, WORKER_ROUTES, ZONE, ZONE_SETTINGS
from ops.plan import State
from ops.resource_types import RECORD

Hosts = Collection[str]
MAX_REQUESTS = 8
"""Requests at the same time."""

MANAGED_RULES = "http_request_firewall_managed"
SETTINGS: Mapping[str, Callable[[JsonValue], bool]] = {
    # Cloudflare answers a replayed request.
    "0rtt": lambda value: value == "on",
    # Requests bypass the cache for three hours.
    "development_mode": lambda value: value == "on",
    # The header with the visitor's address contains another address, by which limits count.
    "pseudo_ipv4": lambda value: value == "overwrite_header",
    # Replaces the header of the middleware security-headers. Browsers remember it for months.
    "security_header": lambda value: dig(value, "strict_transport_security", "enabled") is True,
    # "under_attack" shows a challenge to every visitor, which an app cannot answer.
    "security_level": lambda value: value in ("off", "essentially_off", "under_attack"),
}
"""Undeclared zone settings that matter, and whether a value is drift."""

_HOST_CONDITION = re.compile(
    r'(?:http\.host\s+(?:eq|==)|(?:http\.host|http\.request\.full_uri)\s+(?:strict\s+)?wildcard)\s+r?"([^"]*)"'
)
_NOT_A_CONJUNCTION = re.compile(r"\b(or|not|xor|ne)\b|\|\||!|\^\^")


@dataclass(frozen=True, kw_only=True)
class UndeclaredInZone:
    """What is not declared, and what the token may not read ("Worker routes (permission Workers Routes: Read)")."""

    rows: Sequence[DriftRow]
    unread: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class _Request:
    """One request.

    Attributes:
        subject: what it reads, for the report.
        permission: the permission group of Cloudflare that it needs.
        path: below the zone.
        rows: the drift in its result.
    """

    subject: str
    permission: str
    path: str
    rows: Callable[[JsonValue, Hosts], Iterator[DriftRow]]


def undeclared_in_zone(cloudflare: Cloudflare, resources: Sequence[State]) -> UndeclaredInZone:
    """Rules, Worker routes and settings that act on the hosts of the stack's records."""
    hosts: dict[str, set[str]] = {}
    for state in resources:
        if state.type == RECORD:
            hosts.setdefault(str(dig(state.outputs, "zoneId")), set()).add(str(dig(state.outputs, "name")))
    rows: list[DriftRow] = []
    unread: list[str] = []

    def read(zone: str, request: _Request) -> Sequence[DriftRow]:
        try:
            return list(request.rows(cloudflare.read(f"/zones/{zone}{request.path}"), hosts[zone]))
        except ForbiddenError:
            unread.append(f"{request.subject} (permission {request.permission}: {READ})")
            return ()

    with ThreadPoolExecutor(MAX_REQUESTS) as executor:
        results = [executor.submit(read, zone, request) for zone in sorted(hosts) for request in REQUESTS]
        for result in results:
            rows += result.result()
    return UndeclaredInZone(rows=rows, unread=sorted(unread))


def _paused(zone: JsonValue, _: Hosts) -> Iterator[DriftRow]:
    """A paused zone has no proxy. Its records show the addresses of the origin."""
    if dig(zone, "paused") is True:
        yield DriftRow(resource=f"Zone {dig(zone, 'name')}", property="paused", declared=False, actual=True)


def _settings(settings: JsonValue, _: Hosts) -> Iterator[DriftRow]:
    for setting in _items(settings):
        name, value = str(dig(setting, "id")), dig(setting, "value")
        if name in SETTINGS and SETTINGS[name](value):
            yield DriftRow(resource=f"ZoneSetting {name}", property="value", declared=NOT_DECLARED, actual=value)


def _page_rules(page_rules: JsonValue, hosts: Hosts) -> Iterator[DriftRow]:
    for rule in _items(page_rules):
        constraints = [dig(target, "constraint") for target in _items(dig(rule, "targets"))]
        if all(_is_met(constraint, hosts) for constraint in constraints):
            patterns = " ".join(str(dig(constraint, "value")) for constraint in constraints)
            actions: dict[str, JsonValue] = {
                str(dig(action, "id")): dig(action, "value") or True for action in _items(dig(rule, "actions"))
            }
            yield DriftRow(resource=f"PageRule {patterns}", declared=NOT_DECLARED, actual=actions)


def _is_met(constraint: JsonValue, hosts: Hosts) -> bool:
    """Whether a constraint of a page rule may be met by a URL of the hosts.

    Values of the operator "matches" have wildcards and alternatives. The other operators are not evaluated.
    """
    alternatives = str(dig(constraint, "value")).split("|")
    return dig(constraint, "operator") != "matches" or any(
        _matches(pattern, host) for pattern in alternatives for host in hosts
    )


def _worker_routes(routes: JsonValue, hosts: Hosts) -> Iterator[DriftRow]:
    for route in _items(routes):
        # A route without a script runs no Worker.
        pattern, script = str(dig(route, "pattern")), dig(route, "script")
        if script and any(_matches(pattern, host) for host in hosts):
            yield DriftRow(resource=f"WorkerRoute {pattern}", property="script", declared=NOT_DECLARED, actual=script)


def _rules(phase: str, ruleset: JsonValue, hosts: Hosts) -> Iterator[DriftRow]:
    for rule in _items(dig(ruleset, "rules")):
        expression = str(dig(rule, "expression"))
        if _is_effective(rule, phase) and _concerns(expression, hosts):
            name = dig(rule, "description") or dig(rule, "ref") or dig(rule, "id")
            action = "disabled " * (dig(rule, "enabled") is False) + str(dig(rule, "action"))
            yield DriftRow(
                resource=f"Ruleset {phase}",
                property=f"rules[{name}]",
                declared=NOT_DECLARED,
                actual=f"{action} if {expression}",
            )


def _is_effective(rule: JsonValue, phase: str) -> bool:
    """Whether a rule changes anything.

    Cloudflare runs its managed rules in every zone (https://developers.cloudflare.com/waf/managed-rules/): what changes
    them is a rule that disables or overrides them.
    """
    enabled = dig(rule, "enabled") is not False
    if dig(rule, "action") == "execute" and phase == MANAGED_RULES:
        return not enabled or bool(dig(rule, "action_parameters", "overrides"))
    return enabled


def _concerns(expression: str, hosts: Hosts) -> bool:
    """Whether a rule may apply to one of the hosts.

    Only conjunctions are evaluated ('http.host eq "blog.example.com" and …'). Any other expression may apply, and one
    with a backslash, which may escape a quotation mark.
    """
    if "\\" in expression or _NOT_A_CONJUNCTION.search(re.sub(r'"[^"]*"', '""', expression)):
        return True
    patterns = _HOST_CONDITION.findall(expression)
    return any(all(_matches(pattern, host) for pattern in patterns) for host in hosts)


def _matches(pattern: str, host: str) -> bool:
    """Whether a URL pattern with the wildcard * may match a URL of the host: "https://*.example.com:443/path*"."""
    host_pattern = re.sub(r"^[a-z*]+://", "", pattern.lower()).partition("/")[0].partition(":")[0]
    return re.fullmatch(re.escape(host_pattern).replace(r"\*", ".*"), host) is not None


def _items(value: JsonValue) -> Sequence[JsonValue]:
    return value if isinstance(value, list) else ()


REQUESTS: Sequence[_Request] = [
    _Request(subject="zone", permission=ZONE, path="", rows=_paused),
    _Request(subject="zone settings", permission=ZONE_SETTINGS, path="/settings", rows=_settings),
    _Request(subject="page rules", permission=ZONE, path="/pagerules?status=active", rows=_page_rules),
    _Request(subject="Worker routes", permission=WORKER_ROUTES, path="/workers/routes", rows=_worker_routes),
    *(
        _Request(
            subject=f"rules of phase {phase}",
            permission=group,
            path=f"/rulesets/phases/{phase}/entrypoint",
            rows=partial(_rules, phase),
        )
        for phase, group in PHASES.items()
    ),
]
