"""The guard rail for Cloudflare's address ranges, which the program reads while planning."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from infra.published_ranges import PUBLISHED
from ops.guardrails.violation import Violation
from ops.json_paths import dig
from ops.plan import Plan, State
from ops.resource_types import FIREWALL_COMPONENT


def ranges_stay(plan: Plan) -> Iterator[Violation]:
    """Guard rail: no range of Cloudflare goes away without a confirmation. A new range needs none.

    Cloudflare rarely gives up a range, so a shorter list is more likely an incomplete response. The firewall would then
    drop a part of the visitors.
    """
    for step in plan.steps:
        if step.state.type == FIREWALL_COMPONENT and step.new:
            new = _networks(_ranges(step.new))
            for cidr in _lost(_before(step.old), new):
                yield Violation(
                    resource=cidr,
                    rule=ranges_stay.__name__,
                    reason="would lose access to port 443: Cloudflare's API no longer returns this range, and visitors "
                    "behind it would see HTTP 522",
                    fix="try again later, and compare with https://www.cloudflare.com/ips/. To confirm that Cloudflare "
                    f'gave it up: make up STACK={plan.stack} ALLOW_DELETE="{cidr}"',
                    confirmable=True,
                )


def recorded_ranges(plan: Plan) -> Sequence[str]:
    """The ranges that the firewall lets in before the plan."""
    return [cidr for step in plan.steps if step.state.type == FIREWALL_COMPONENT for cidr in _before(step.old)]


def _before(state: State | None) -> Sequence[str]:
    """The ranges in the state. A stack that has recorded none yet is compared with those that are known."""
    return (_ranges(state) if state else ()) or PUBLISHED


def _ranges(state: State) -> Sequence[str]:
    ranges = dig(state.inputs, "cloudflareRanges")
    return [str(cidr) for cidr in ranges] if isinstance(ranges, list) else []


def _networks(cidrs: Sequence[str]) -> Sequence[IPv4Network | IPv6Network]:
    return [ip_network(cidr) for cidr in cidrs]


def _lost(old: Sequence[str], new: Sequence[IPv4Network | IPv6Network]) -> Sequence[str]:
    """The old ranges that no new range contains."""
    return [cidr for cidr in old if not any(_contains(network, ip_network(cidr)) for network in new)]


def _contains(network: IPv4Network | IPv6Network, part: IPv4Network | IPv6Network) -> bool:
    return network.version == part.version and network.supernet_of(part)  # type: ignore[arg-type]  # same version
