"""The firewall in front of the nodes: the book's UFW rules as a Hetzner Cloud Firewall (book ch04, ch20)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_hcloud as hcloud

from infra.component import Component
from infra.edge.ranges import CloudflareRanges
from infra.settings.schema import Settings
from infra.settings.topology import Access

# https://docs.hetzner.cloud/#firewalls; past any of them the API refuses the whole firewall, and a server stays without one.
RULES_PER_FIREWALL = 50
CIDRS_PER_RULE = 100
EFFECTIVE_RULES = 500

ANYWHERE = ("0.0.0.0/0", "::/0")
OVERLAY_PORTS: Mapping[str, str] = {"vxlan": "8472", "wireguard-native": "51820-51821"}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Inbound traffic that is let through; what no rule names is dropped."""

    description: str
    protocol: Literal["tcp", "udp", "icmp"]
    sources: Sequence[pulumi.Input[str]]
    port: str | None = None


def rules(
    *, access: Access, web_from: CloudflareRanges, nodes: Sequence[pulumi.Input[str]], flannel_backend: str
) -> list[Rule]:
    """Every rule, in the order it is shown. `nodes` are the nodes' own CIDRs; none where they talk on a private network.

    Hetzner's firewall never sees a private network (https://docs.hetzner.com/cloud/firewalls/faq/): rules for it would be decoration.
    """
    operators = [str(network) for network in access.operators]
    always = [
        Rule(description="HTTPS from Cloudflare alone", protocol="tcp", port="443", sources=web_from.all),
        Rule(description="SSH from operators", protocol="tcp", port=str(access.ssh_port), sources=operators),
        Rule(
            description="Kubernetes API from operators and nodes",
            protocol="tcp",
            port="6443",
            sources=[*operators, *nodes],
        ),
    ]
    between = [
        Rule(description="etcd between nodes", protocol="tcp", port="2379-2380", sources=nodes),
        Rule(description="kubelet between nodes", protocol="tcp", port="10250", sources=nodes),
        Rule(
            description=f"Flannel {flannel_backend} between nodes",
            protocol="udp",
            port=OVERLAY_PORTS[flannel_backend],
            sources=nodes,
        ),
    ]
    ping = Rule(description="ping and path MTU discovery", protocol="icmp", sources=ANYWHERE)
    return [*always, *(between if nodes else []), ping]


def check_limits(wanted: Sequence[Rule]) -> None:
    """Raises a RunError when Hetzner would refuse the firewall; called before anything is."""
    excess = [
        f'rule "{rule.description}" has {len(rule.sources)} source CIDRs, at most {CIDRS_PER_RULE} are allowed'
        for rule in wanted
        if len(rule.sources) > CIDRS_PER_RULE
    ]
    if len(wanted) > RULES_PER_FIREWALL:
        excess.append(f"{len(wanted)} rules, at most {RULES_PER_FIREWALL} are allowed")
    if (effective := sum(len(rule.sources) for rule in wanted)) > EFFECTIVE_RULES:
        excess.append(f"{effective} rules times sources, at most {EFFECTIVE_RULES} are allowed")
    if excess:
        raise pulumi.RunError(
            "Hetzner would refuse the firewall: " + "; ".join(excess) + ". Shorten honeydue:access.operators."
        )


class Firewall(Component):
    """One firewall for all nodes; servers name it by id, so that it is in force before their first boot.

    Attributes:
        id: Hetzner's numeric id.
    """

    id: pulumi.Output[int]

    def __init__(
        self,
        settings: Settings,
        *,
        web_from: CloudflareRanges,
        nodes: Mapping[str, pulumi.Output[str]],
        hetzner: hcloud.Provider,
    ) -> None:
        super().__init__("machines:Firewall", "firewall", provider=hetzner)
        public = settings.cluster.network == "public"
        wanted = rules(
            access=settings.access,
            web_from=web_from,
            nodes=[pulumi.Output.concat(address, "/32") for address in nodes.values()] if public else [],
            flannel_backend=settings.cluster.flannel_backend,
        )
        check_limits(wanted)
        if settings.access.open_to_the_world:
            pulumi.log.warn(
                "honeydue:access.operators lets the whole world reach SSH and the Kubernetes API; narrow it to your own CIDRs.",
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
                for rule in wanted
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.id = firewall.id.apply(int)
        self.register_outputs({"id": self.id})
