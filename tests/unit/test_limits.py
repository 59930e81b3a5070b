"""Limits of the vendors: one line for each that the settings exceed, before anything is contacted."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Network

import pulumi
import pytest

from infra.names import hostnames
from infra.settings.limits import CIDRS_PER_RULE, SERVERS_PER_NETWORK, reserved_addresses, violations
from infra.settings.loading import SettingsError
from tests.unit.capture import example_settings, run
from tests.unit.flips import PRIVATE, example

HOSTS = len(hostnames("example.com"))
ROOM = 253 - max(map(len, hostnames("").values())) - len(f"{'a' * 63}.{'b' * 63}.{'c' * 63}..com")
"""The characters of one more label in a domain whose longest host name has 253."""


def nodes(count: int, **fields: object) -> dict[str, object]:
    """Changes that add nodes to the three of the example, up to this count."""
    numbers = range(4, count + 1)
    added = {f"nodes.node{number}.hostname": f"node-{number}" for number in numbers}
    return {**added, **{f"nodes.node{number}.{key}": value for number in numbers for key, value in fields.items()}}


def private(count: int) -> dict[str, object]:
    """The same on a private network."""
    addresses = {f"nodes.node{number}.privateIpv4": f"10.0.0.{number + 10}" for number in range(4, count + 1)}
    return {**PRIVATE, **nodes(count), **addresses, "edge.dnsRecordQuota": 3500}


def operators(count: int) -> dict[str, object]:
    return {"access.operators": [f"10.{number}.0.0/16" for number in range(count)]}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        PRIVATE,
        operators(97),
        {**operators(100), **PRIVATE},
        nodes(200 // HOSTS),
        {**nodes(99), **operators(1), "edge.dnsRecordQuota": 1000},
        private(100),
        {**PRIVATE, "cluster.privateRange": "10.0.0.0/8"},
        # Nothing reads these settings while the nodes use their public addresses.
        {"cluster.privateRange": "10.0.0.0/30", "nodes.hetzner1.privateIpv4": "10.0.0.1"},
        {"nodes.hetzner1.location": "ash"},
        {**PRIVATE, "nodes.hetzner1.location": "hel1"},
        {"domain": f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * ROOM}.com"},
    ],
)
def test_settings_at_a_limit_are_accepted(changes: Mapping[str, object]) -> None:
    assert list(violations(example(changes))) == []


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        (
            operators(98),
            "access.operators",
            r"leads to 101 source CIDRs in one rule .*, 98 of operators and 3 of nodes, at most 100 .*: "
            r"combine networks, or pulumi config rm --path 'honeydue:access\.operators\[INDEX\]'",
        ),
        ({**operators(101), **PRIVATE}, "access.operators", "101 of operators and 0 of nodes, at most 100"),
        (
            nodes(200 // HOSTS + 1),
            "nodes",
            rf"leads to \d+ DNS records in the zone at Cloudflare, {HOSTS} of each node, at most 200 .*: "
            r"pulumi config rm --path honeydue:nodes\.ALIAS, or, .* "
            r"pulumi config set --path honeydue:edge\.dnsRecordQuota QUOTA",
        ),
        ({"edge.dnsRecordQuota": 3 * HOSTS - 1}, "nodes", f"at most {3 * HOSTS - 1} are possible"),
        (
            private(101),
            "nodes",
            r"leads to 101 servers in one network at Hetzner, at most 100 .*: "
            r"pulumi config rm --path honeydue:nodes\.ALIAS",
        ),
        (
            {**PRIVATE, "cluster.privateRange": "10.0.0.0/27"},
            "cluster.privateRange",
            r"27 bits .*, at most 24 .*: pulumi config set --path honeydue:cluster\.privateRange 10\.0\.0\.0/16",
        ),
        (
            {
                "cluster.network": "private",
                "cluster.privateRange": "8.8.8.0/24",
                **{f"nodes.hetzner{number}.privateIpv4": f"8.8.8.1{number}" for number in (1, 2, 3)},
            },
            "cluster.privateRange",
            r"holds '8\.8\.8\.0/24', which is not in the private ranges of RFC 1918 .*: pulumi config set --path",
        ),
        *(
            (
                {**PRIVATE, "nodes.hetzner2.privateIpv4": address},
                "nodes.hetzner2.privateIpv4",
                rf"holds '{re.escape(address)}', which Hetzner reserves in 10\.0\.0\.0/24 .*: pulumi config set --path "
                r"honeydue:nodes\.hetzner2\.privateIpv4 10\.0\.0\.2$",
            )
            for address in ("10.0.0.0", "10.0.0.1", "10.0.0.255")
        ),
        (
            {**PRIVATE, "nodes.hetzner3.location": "ash"},
            "nodes.hetzner3.location",
            r"holds 'ash'\. .*, so one of nbg1, fsn1, hel1 was expected: pulumi config set --path honeydue:nodes\.",
        ),
        ({**PRIVATE, "nodes.hetzner3.location": "moon"}, "nodes.hetzner3.location", "holds 'moon'"),
        (
            {"domain": f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * (ROOM + 1)}.com"},
            "domain",
            r"leads to 254 characters in a host name of DNS \([\w-]+\.DOMAIN\), at most 253 .*: "
            r"pulumi config set honeydue:domain DOMAIN",
        ),
        ({"domain": f"{'a' * 64}.com"}, "domain", "leads to 64 characters between two dots .*, at most 63"),
    ],
)
def test_settings_above_a_limit_are_one_line(changes: Mapping[str, object], key: str, expected: str) -> None:
    (line,) = violations(example(changes))
    assert line.startswith(f"honeydue:{key} ")
    assert re.search(expected, line), line
    assert "(https://" in line


def test_all_exceeded_limits_are_reported_before_anything_is_contacted() -> None:
    settings = example_settings()
    edge = settings["honeydue:edge"]
    assert isinstance(edge, dict)
    changed = {
        **settings,
        "honeydue:access": {"operators": operators(101)["access.operators"]},
        "honeydue:edge": {**edge, "dnsRecordQuota": 1},
        "honeydue:postgresPassword": "",
    }
    with pytest.raises(SettingsError) as error:
        run(changed)
    assert str(error.value).startswith("3 configuration errors in stack prod. Nothing was contacted.")
    assert len(str(error.value).splitlines()) == 4


def test_more_ranges_of_cloudflare_than_a_rule_accepts_are_an_error_of_the_program() -> None:
    ranges = {"ipv4Cidrs": [f"10.{number}.0.0/16" for number in range(100)], "ipv6Cidrs": ["2400:cb00::/32"]}
    with pytest.raises(
        pulumi.RunError, match=r'rule "HTTPS from Cloudflare alone" has 101 source CIDRs .*, at most 100 are possible'
    ):
        run(example_settings(), ranges=ranges)


def test_the_smallest_network_has_room_for_the_most_servers() -> None:
    network = IPv4Network("10.0.0.0/24")
    assert network.num_addresses - len(reserved_addresses(network)) > SERVERS_PER_NETWORK.maximum
    assert CIDRS_PER_RULE.maximum >= SERVERS_PER_NETWORK.maximum
