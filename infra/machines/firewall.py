"""The Hetzner Cloud Firewall in front of the nodes. HTTPS is only open to Cloudflare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_hcloud as hcloud

from infra import host_ports
from infra.component import Component
from infra.edge import CloudflareRanges
from infra.host_ports import HostPort
from infra.names import LABELS
from infra.settings.limits import CIDRS_PER_RULE, EFFECTIVE_RULES, RULES_PER_FIREWALL, Limit
from infra.settings.schema import Settings
from infra.settings.topology import Access

ANYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Inbound traffic that is allowed. The firewall drops traffic that matches no rule."""

    description: str
    protocol: Literal["tcp", "udp", "icmp"]
    sources: Sequence[pulumi.Input[str]]
    port: str | None = None


def rules(
    *,
    access: Access,
    allow_https_from: CloudflareRanges,
    nodes: Sequence[pulumi.Input[str]],
    flannel_backend: str,
    embedded_registry: bool = False,
) -> list[Rule]:
    """All rules in display order. `nodes` are the CIDRs of the nodes; empty when they use a private network.

    Hetzner's firewalls do not filter private networks (https://docs.hetzner.com/cloud/firewalls/faq/), so rules for
    such a network would have no effect.
    """
    operators = [str(network) for network in access.operators]
    from_outside = [
        Rule(description="HTTPS from Cloudflare alone", protocol="tcp", port="443", sources=allow_https_from.all),
        _rule(host_ports.ssh(access.ssh_port), operators),
        _rule(host_ports.API, [*operators, *nodes]),
    ]
    ports = [host_ports.ETCD, host_ports.KUBELET, host_ports.FLANNEL[flannel_backend]]
    between_nodes = [
        _rule(port, nodes) for port in (*ports, *([host_ports.EMBEDDED_REGISTRY] if embedded_registry else []))
    ]
    icmp = Rule(description="ping and path MTU discovery", protocol="icmp", sources=ANYWHERE)
    return [*from_outside, *(between_nodes if nodes else []), icmp]


def _rule(port: HostPort, sources: Sequence[pulumi.Input[str]]) -> Rule:
    return Rule(description=port.purpose, protocol=port.protocol, port=port.port, sources=sources)


def check_limits(firewall_rules: Sequence[Rule]) -> None:
    """Raises a RunError when Hetzner would reject the firewall, and a server would be without any.

    The settings are checked before (infra/settings/limits.py). Cloudflare's ranges are only known here.
    """
    counts: Sequence[tuple[str, int, Limit]] = [
        *((f'rule "{rule.description}"', len(rule.sources), CIDRS_PER_RULE) for rule in firewall_rules),
        ("the firewall", len(firewall_rules), RULES_PER_FIREWALL),
        ("the firewall", sum(len(rule.sources) for rule in firewall_rules), EFFECTIVE_RULES),
    ]
    exceeded = [
        f"{place} has {number} {limit.counted}, at most {limit.maximum} are possible ({limit.source})"
        for place, number, limit in counts
        if number > limit.maximum
    ]
    if exceeded:
        raise pulumi.RunError(
            f"Hetzner would reject the firewall: {'; '.join(exceeded)}. Nothing was changed. Compare the ranges that "
            "Cloudflare publishes with https://www.cloudflare.com/ips/, and shorten honeydue:access.operators."
        )


class Firewall(Component):
    """One firewall for all nodes. Servers refer to it by id, so that it is active before their first boot.

    Attributes:
        id: Hetzner's numeric id.
    """

    id: pulumi.Output[int]

    def __init__(
        self,
        settings: Settings,
        *,
        allow_https_from: CloudflareRanges,
        nodes: Mapping[str, pulumi.Output[str]],
        provider: hcloud.Provider,
    ) -> None:
        super().__init__(
            "machines:Firewall",
            "firewall",
            provider=provider,
            # For the guard rail of the next plan: the rules may contain what was added in the console.
            inputs={"cloudflareRanges": list(allow_https_from.all)},
        )
        public = settings.cluster.network == "public"
        firewall_rules = rules(
            access=settings.access,
            allow_https_from=allow_https_from,
            nodes=[pulumi.Output.concat(address, "/32") for address in nodes.values()] if public else [],
            flannel_backend=settings.cluster.flannel_backend,
            embedded_registry=settings.cluster.embedded_registry,
        )
        check_limits(firewall_rules)
        if settings.access.open_to_the_world:
            pulumi.log.warn(
                "honeydue:access.operators allows the whole internet to reach SSH and the Kubernetes API. "
                "Restrict it to your own CIDRs.",
                self,
            )
        firewall = hcloud.Firewall(
            "honeydue",
            name="honeydue",
            rules=[
                hcloud.FirewallRuleArgs(
                    direction="in",
                    protocol=rule.protocol,
                    port=rule.port,
                    source_ips=list(rule.sources),
                    description=rule.description,
                )
                for rule in firewall_rules
            ],
            labels=LABELS,
            # Labels of the console stay. The provider would remove those that the program does not declare.
            opts=self.child_options(ignore_changes=["labels"]),
        )
        self.id = firewall.id.apply(int)
        self.register_outputs({"id": self.id})
