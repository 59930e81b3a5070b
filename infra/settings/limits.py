"""Limits of the vendors that settings can exceed. They are checked before anything is contacted.

Not here, because no setting reaches them: the origin certificate has two names (Cloudflare: at most 200), each server
has one firewall (Hetzner: 5) and one network, and all nodes fit into the placement groups of a project (Hetzner: 50).
The limits of one account, for example of its servers, are not public: Hetzner's console shows them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from infra.names import hostnames
from infra.settings.messages import PROJECT
from infra.settings.schema import Settings


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A maximum, what it counts, and the vendor's page about it."""

    maximum: int
    counted: str
    source: str


_FIREWALLS = "https://docs.hetzner.cloud/reference/cloud#firewalls"
_NETWORKS = "https://docs.hetzner.com/cloud/networks/faq"
_NAMES = "https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4"

CIDRS_PER_RULE = Limit(maximum=100, counted="source CIDRs in one rule of a firewall at Hetzner", source=_FIREWALLS)
RULES_PER_FIREWALL = Limit(maximum=50, counted="rules in one firewall at Hetzner", source=_FIREWALLS)
EFFECTIVE_RULES = Limit(
    maximum=500,
    counted="rules times source CIDRs in one firewall at Hetzner",
    source="https://docs.hetzner.com/cloud/firewalls/overview",
)
SERVERS_PER_NETWORK = Limit(maximum=100, counted="servers in one network at Hetzner", source=_NETWORKS)
NETWORK_PREFIX = Limit(
    maximum=24,
    counted="bits in the prefix of a network at Hetzner",
    source="https://docs.hetzner.cloud/reference/cloud#networks",
)
SERVERS_PER_PLACEMENT_GROUP = Limit(
    maximum=10,
    counted="servers in one placement group at Hetzner",
    source="https://docs.hetzner.com/cloud/placement-groups/overview",
)
USER_DATA = Limit(
    maximum=32 * 1024,
    counted="bytes of user data at Hetzner",
    source="https://docs.hetzner.cloud/reference/cloud#servers-create-a-server",
)
HOST_NAME = Limit(maximum=253, counted="characters in a host name of DNS", source=_NAMES)
LABEL = Limit(maximum=63, counted="characters between two dots of a host name of DNS", source=_NAMES)
DNS_RECORDS = "https://developers.cloudflare.com/dns/manage-dns-records/#dns-records-quota"
"""The source of `edge.dnsRecordQuota`: the quota depends on the plan and the age of the zone."""

NETWORK_ZONES: Mapping[str, str] = {
    "nbg1": "eu-central",
    "fsn1": "eu-central",
    "hel1": "eu-central",
    "ash": "us-east",
    "hil": "us-west",
    "sin": "ap-southeast",
}
"""By location: https://docs.hetzner.com/cloud/general/locations/. All servers of a subnet are in one zone."""
GATEWAY_OF_PUBLIC_INTERFACES = IPv4Address("172.31.1.1")
"""Hetzner's servers have it as the default gateway, so no private network may assign it."""

_REMOVE_NODE = f"pulumi config rm --path {PROJECT}:nodes.ALIAS"


def violations(settings: Settings) -> Iterator[str]:
    """One line for each limit that the settings exceed: the key, the limit, its source and what to type."""
    yield from _firewall(settings)
    yield from _zone(settings)
    if settings.cluster.network == "private":
        yield from _network(settings)


def reserved_addresses(network: IPv4Network) -> frozenset[IPv4Address]:
    """The addresses that Hetzner assigns to no server (https://docs.hetzner.com/cloud/networks/faq)."""
    return frozenset(
        {network.network_address, network[1], network.broadcast_address, GATEWAY_OF_PUBLIC_INTERFACES},
    )


def _exceeded(key: str, count: int, limit: Limit, fix: str, *, of: str = "") -> Iterator[str]:
    if count > limit.maximum:
        yield (
            f"{PROJECT}:{key} leads to {count} {limit.counted}{of}, at most {limit.maximum} are possible "
            f"({limit.source}): {fix}"
        )


def _firewall(settings: Settings) -> Iterator[str]:
    # The rule of the Kubernetes API has the most sources. The other limits of a firewall cannot be exceeded before it.
    operators = len(settings.access.operators)
    nodes = len(settings.nodes) if settings.cluster.network == "public" else 0
    yield from _exceeded(
        "access.operators",
        operators + nodes,
        CIDRS_PER_RULE,
        f"combine networks, or pulumi config rm --path '{PROJECT}:access.operators[INDEX]'",
        of=f", {operators} of operators and {nodes} of nodes",
    )


def _zone(settings: Settings) -> Iterator[str]:
    hosts = hostnames(settings.domain).values()
    quota = Limit(
        maximum=settings.edge.dns_record_quota, counted="DNS records in the zone at Cloudflare", source=DNS_RECORDS
    )
    yield from _exceeded(
        "nodes",
        len(hosts) * len(settings.nodes),
        quota,
        f"{_REMOVE_NODE}, or, if the zone has a larger quota, "
        f"pulumi config set --path {PROJECT}:edge.dnsRecordQuota QUOTA",
        of=f", {len(hosts)} of each node",
    )
    rename = f"pulumi config set {PROJECT}:domain DOMAIN"
    longest = max(hosts, key=len)
    yield from _exceeded("domain", len(longest), HOST_NAME, rename, of=f" ({longest.partition('.')[0]}.DOMAIN)")
    yield from _exceeded("domain", max(map(len, settings.domain.split("."))), LABEL, rename)


def _network(settings: Settings) -> Iterator[str]:
    network = settings.cluster.private_range
    yield from _exceeded("nodes", len(settings.nodes), SERVERS_PER_NETWORK, _REMOVE_NODE)
    range_command = f"pulumi config set --path {PROJECT}:cluster.privateRange 10.0.0.0/16"
    yield from _exceeded("cluster.privateRange", network.prefixlen, NETWORK_PREFIX, range_command)
    if not network.is_private:
        yield (
            f"{PROJECT}:cluster.privateRange holds '{network}', which is not in the private ranges of RFC 1918 "
            f"({NETWORK_PREFIX.source}): {range_command}"
        )
    reserved = reserved_addresses(network)
    taken = reserved | {node.private_ipv4 for node in settings.nodes.values()}
    free = next((address for address in network if address not in taken), "ADDRESS")
    zones = {node.location: NETWORK_ZONES.get(node.location) for node in settings.nodes.values()}
    zone = next(filter(None, zones.values()), None)
    for alias, node in settings.nodes.items():
        if node.private_ipv4 in reserved:
            yield (
                f"{PROJECT}:nodes.{alias}.privateIpv4 holds '{node.private_ipv4}', which Hetzner reserves in {network} "
                f"({_NETWORKS}): pulumi config set --path {PROJECT}:nodes.{alias}.privateIpv4 {free}"
            )
        if zone is None or zones[node.location] != zone:
            locations = [name for name, other in NETWORK_ZONES.items() if zone in (None, other)]
            yield (
                f"{PROJECT}:nodes.{alias}.location holds '{node.location}'. The nodes of a private network are in one "
                f"network zone ({_NETWORKS}), so one of {', '.join(locations)} was expected: "
                f"pulumi config set --path {PROJECT}:nodes.{alias}.location LOCATION"
            )
