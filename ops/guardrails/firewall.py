"""The guard rail for the firewall: the nodes that survive a plan keep the ports that they were created with."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from pydantic import JsonValue

from infra import host_ports
from infra.host_ports import HostPort
from ops.engine.sentinels import UNKNOWN
from ops.guardrails.servers import surviving_servers
from ops.guardrails.violation import Violation
from ops.json_paths import dig
from ops.plan import Plan, Step
from ops.resource_types import FIREWALL, PRIMARY_IP, SERVER

DEFAULT_SSH_PORT = "22"
ANY_PORT = "any"


@dataclass(frozen=True, kw_only=True)
class FirewallRule:
    """Inbound traffic that a firewall allows. `sources` are CIDRs; those of new nodes are unknown in a plan."""

    description: str
    protocol: str
    port: str
    sources: Sequence[str]

    def covers(self, port: HostPort) -> bool:
        """Whether it allows the whole range, from any source."""
        ports, needed = _port_numbers(self.port), _port_numbers(port.port)
        return self.protocol == port.protocol and needed.start in ports and needed[-1] in ports

    def allows(self, port: HostPort, address: str) -> bool:
        """Whether it allows the whole range from this address. An unknown source may be this address."""
        return self.covers(port) and any(
            source == UNKNOWN or ip_address(address) in ip_network(source, strict=False) for source in self.sources
        )


def nodes_stay_connected(plan: Plan) -> Iterator[Violation]:
    """Guard rail: while a server survives the plan, the firewall closes no port or source that the nodes need.

    The CIDRs of operators are not among these sources, so `access.operators` may be narrowed.
    """
    if not surviving_servers(plan):
        return
    addresses = _node_addresses(plan)
    for step in plan.changes:
        if step.state.type == FIREWALL and step.old and step.new:
            # After a refresh, the provider's inputs may combine ports and sources of different rules.
            old = _rules(step.old.outputs) or _rules(step.old.inputs)
            new = _rules(step.new.inputs)
            for port in _ssh_ports(old):
                if not any(rule.covers(port) for rule in new):
                    yield _closed(step, port, "everybody", f"set honeydue:access.sshPort back to {port.port}")
            # On a private network no kubelet is reached by public addresses, and no port between nodes is.
            peers = {alias: address for alias, address in addresses.items() if _allow(old, host_ports.KUBELET, address)}
            for port in host_ports.BETWEEN_NODES:
                cut = [
                    f"{alias} ({address})"
                    for alias, address in peers.items()
                    if _allow(old, port, address) and not _allow(new, port, address)
                ]
                if cut:
                    fix = "set honeydue:cluster.network and honeydue:cluster.flannelBackend back"
                    yield _closed(step, port, ", ".join(cut), fix)


def _allow(rules: Sequence[FirewallRule], port: HostPort, address: str) -> bool:
    return any(rule.allows(port, address) for rule in rules)


def _closed(step: Step, port: HostPort, sources: str, fix: str) -> Violation:
    return Violation(
        resource=step.short,
        rule=nodes_stay_connected.__name__,
        reason=f"would close {port.protocol} {port.port} ({port.purpose}) to {sources}: existing nodes still use it, "
        "because they keep what they were created with",
        fix=f"{fix} (docs/guard-rails.md, Settings of existing nodes)",
    )


def _node_addresses(plan: Plan) -> Mapping[str, str]:
    """The public address of each node before and after the plan, by alias. Its server may be replaced."""
    servers = {step.state.name for step in plan.steps if step.new and step.new.type == SERVER}
    addresses = {
        step.old.name: address
        for step in plan.steps
        if step.old and step.old.type == PRIMARY_IP and not step.deletes and step.old.name in servers
        if isinstance(address := step.old.outputs.get("ipAddress"), str)
    }
    return dict(sorted(addresses.items()))


def _ssh_ports(rules: Sequence[FirewallRule]) -> Sequence[HostPort]:
    """The ports of sshd. In a firewall that this program did not create, that is sshd's default port."""
    described = [rule.port for rule in rules if rule.description == host_ports.SSH_PURPOSE]
    return [
        port
        for port in map(host_ports.ssh, described or [DEFAULT_SSH_PORT])
        if any(rule.covers(port) for rule in rules)
    ]


def _rules(values: Mapping[str, JsonValue]) -> Sequence[FirewallRule]:
    rules = values.get("rules")
    return [
        FirewallRule(
            description=str(dig(rule, "description") or ""),
            protocol=str(dig(rule, "protocol")),
            port=str(dig(rule, "port") or ANY_PORT),
            sources=[str(source) for source in sources],
        )
        for rule in (rules if isinstance(rules, list) else [])
        if dig(rule, "direction") == "in" and isinstance(sources := dig(rule, "sourceIps"), list)
    ]


def _port_numbers(port: str) -> range:
    if port == ANY_PORT:
        return range(1, 2**16)
    first, _, last = port.partition("-")
    return range(int(first), int(last or first) + 1)
