"""The prepared worlds that test modules clone."""

from rehearsal import brownfield
from rehearsal.clouds.account import Account, IpRanges, read_account, write_account
from rehearsal.world.template import Template
from rehearsal.world.world import World
from tests.recipes import EXAMPLE
from tests.rehearsal.edge import INSIDE

RATE_LIMIT_BURST = 10
"""Requests of one visitor; low, so that a slow machine too gets over it."""


def start(world: World) -> None:
    """Nothing is applied."""
    if not world.is_up():
        raise RuntimeError("the world did not start")


def apply(world: World) -> None:
    """Production's own configuration stands."""
    world.pulumi("up", "--yes", "--skip-preview")


def apply_for_ingress(world: World) -> None:
    """Production, for visitors from an address of this machine."""
    held = read_account(world.layout.clouds)
    ranges = IpRanges([*held.ip_ranges.ipv4_cidrs, f"{INSIDE}/32"], held.ip_ranges.ipv6_cidrs)
    write_account(world.layout.clouds, Account(held.addresses, held.zones, ranges))
    world.set_config("honeydue:edge.rateLimit", {"average": 1, "burst": RATE_LIMIT_BURST, "period": "2s"})
    apply(world)


def apply_upgrades(world: World) -> None:
    """Production with upgrades and snapshots, which its settings leave out; with a preview first, which such an addition must pass."""
    world.set_config(
        "honeydue:upgrades",
        {
            "window": {"start": "02:00", "end": "05:00", "timeZone": "Europe/Berlin"},
            "k3s": ["sun"],
            "reboots": ["tue", "thu"],
        },
    )
    world.set_config("honeydue:snapshots", {"bucket": "honeyDueSnapshots"})
    for key in ("snapshotKeyId", "snapshotApplicationKey"):
        world.pulumi("config", "set", "--secret", f"honeydue:{key}", f"rehearsal-{key}")
    world.pulumi("preview")
    apply(world)


# Of the tests' own settings, which hold what tests expect; production's may change with every release.
EMPTY = Template(name="empty", prepare=start, project=EXAMPLE)
PRODUCTION = Template(name="production", prepare=apply, project=EXAMPLE)
BROWNFIELD = Template(name="brownfield", prepare=brownfield.build, project=EXAMPLE)
INGRESS = Template(name="ingress", prepare=apply_for_ingress, project=EXAMPLE)
UPGRADES = Template(name="upgrades", prepare=apply_upgrades, project=EXAMPLE)
