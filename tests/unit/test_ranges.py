"""A range of Cloudflare that goes away must be confirmed by its name; a new one is applied."""

from collections.abc import Sequence
from typing import Any

import pytest

from infra.published_ranges import PUBLISHED, PUBLISHED_IPV4, PUBLISHED_IPV6
from ops.guardrails.rules import check, missing
from ops.plan import Plan
from ops.resource_types import FIREWALL_COMPONENT
from tests.unit.capture import Capture
from tests.unit.plans import plan, step

ADDED = "198.51.100.0/24"
INCOMPLETE = (PUBLISHED_IPV4[0], PUBLISHED_IPV6[0])


def change(old: Sequence[str] | None, new: Sequence[str]) -> Plan:
    """A plan that changes the ranges. None: the state contains none."""
    before: dict[str, Any] = {"inputs": {} if old is None else {"cloudflareRanges": list(old)}, "custom": False}
    after: dict[str, Any] = {"inputs": {"cloudflareRanges": list(new)}, "custom": False}
    return plan(step("update", FIREWALL_COMPONENT, "firewall", old=before, **after))


def lost(planned: Plan, **options: Any) -> list[str]:
    return [violation.resource for violation in check(planned, **options)]


def test_half_of_a_response_is_refused() -> None:
    planned = change(PUBLISHED, INCOMPLETE)
    assert lost(planned) == [cidr for cidr in PUBLISHED if cidr not in INCOMPLETE]
    (first, *_) = check(planned)
    assert (first.rule, first.confirmable) == ("ranges_stay", True)
    assert 'ALLOW_DELETE="103.21.244.0/22"' in first.fix


@pytest.mark.parametrize(
    "new",
    [
        PUBLISHED,
        (*PUBLISHED, ADDED),
        # A larger range contains the old one.
        ("103.21.240.0/21", *(cidr for cidr in PUBLISHED if cidr != "103.21.244.0/22")),
        tuple(reversed(PUBLISHED)),
    ],
)
def test_ranges_that_stay_or_are_added_need_no_confirmation(new: Sequence[str]) -> None:
    assert lost(change(PUBLISHED, new)) == []


def test_every_range_that_goes_away_is_confirmed_by_its_name() -> None:
    planned = change((*PUBLISHED, ADDED, "2001:db8::/32"), PUBLISHED)
    assert lost(planned) == [ADDED, "2001:db8::/32"]
    assert lost(planned, allow_delete=[ADDED]) == ["2001:db8::/32"]
    assert lost(planned, allow_delete=[ADDED, "2001:db8::/32"]) == []
    assert missing(planned, [ADDED]) == []
    # A name that confirms nothing comes from an earlier plan.
    assert lost(planned, allow_delete=[ADDED, "2001:db8::/32", PUBLISHED[0]]) == [PUBLISHED[0]]


def test_a_stack_that_recorded_no_ranges_is_compared_with_the_known_ones() -> None:
    assert lost(change(None, PUBLISHED)) == []
    assert lost(change(None, PUBLISHED[1:])) == [PUBLISHED[0]]
    created = step("create", FIREWALL_COMPONENT, "firewall", inputs={"cloudflareRanges": list(PUBLISHED[1:])})
    assert "ranges_stay" in {violation.rule for violation in check(plan(created))}


def test_the_program_records_the_ranges_of_its_firewall(program: Capture) -> None:
    (component,) = [entry for entry in program.registrations if entry.type == FIREWALL_COMPONENT]
    assert set(component.inputs["cloudflareRanges"]) == set(PUBLISHED)
    rules = program.resource("Firewall", "honeydue").inputs["rules"]
    (https,) = [rule for rule in rules if rule.get("port") == "443"]
    assert https["sourceIps"] == component.inputs["cloudflareRanges"]
