"""Templates of the worlds that test modules clone."""

from dataclasses import replace

from rehearsal import brownfield
from rehearsal.clouds.account import IpRanges, read_account, write_account
from rehearsal.engine.placeholders import ADMIN_USERS
from rehearsal.world.template import Template
from rehearsal.world.world import World
from tests.recipes import EXAMPLE
from tests.rehearsal.cluster import items
from tests.rehearsal.edge_client import CLOUDFLARE_ADDRESS
from tests.retry import eventually

COSIGN_KEY = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"
RATE_LIMIT_BURST = 10
"""Requests that one client may send at once. Low, so that even a slow machine exceeds the limit."""


def start(world: World) -> None:
    """Starts the world and applies nothing."""
    if not world.is_up():
        raise RuntimeError("the world did not start")


def apply(world: World) -> None:
    """Applies the program with the example settings, and waits until the autoscalers have created their pods.

    Each clone of a template without them would create its own.
    """
    world.pulumi("up", "--yes", "--skip-preview")

    def minimum_is_ready() -> None:
        for autoscaler in items(world, "horizontalpodautoscalers"):
            name, minimum = autoscaler["spec"]["scaleTargetRef"]["name"], autoscaler["spec"]["minReplicas"]
            (deployment,) = (item for item in items(world, "deployments") if item["metadata"]["name"] == name)
            assert deployment["status"].get("readyReplicas", 0) >= minimum, name

    eventually(minimum_is_ready, seconds=60)


def enable_monitoring(world: World, url: str = "https://obs.example.com", **alerts: bool) -> None:
    """Sets `honeydue:monitoring` with these alert settings, and the secrets that they need."""
    world.set_config("honeydue:monitoring", {"url": url, "username": "cluster", "alerts": alerts})
    world.pulumi("config", "set", "--secret", "honeydue:metricsPassword", "rehearsal-metricsPassword")
    for key in ("alertWebhookUrl", "heartbeatUrl") if alerts else ():
        world.pulumi("config", "set", "--secret", f"honeydue:{key}", f"https://hooks.example.com/{key}")


def enable_logs(world: World) -> None:
    """Sets `honeydue:logs`, and the secret that it needs."""
    world.set_config("honeydue:logs", {"url": "https://logs.example.com", "username": "cluster"})
    world.pulumi("config", "set", "--secret", "honeydue:logsPassword", "rehearsal-logsPassword")


def apply_for_ingress(world: World) -> None:
    """Applies the program with an address of this machine among Cloudflare's ranges, and a low rate limit."""
    account = read_account(world.layout.clouds)
    ranges = IpRanges([*account.ip_ranges.ipv4_cidrs, f"{CLOUDFLARE_ADDRESS}/32"], account.ip_ranges.ipv6_cidrs)
    write_account(world.layout.clouds, replace(account, ip_ranges=ranges))
    world.set_config("honeydue:edge.rateLimit", {"average": 1, "burst": RATE_LIMIT_BURST, "period": "2s"})
    apply(world)


def apply_every_option(world: World) -> None:
    """Applies the program with all optional settings. The preview before it must pass, too."""
    world.set_config(
        "honeydue:upgrades",
        {
            "window": {"start": "02:00", "end": "05:00", "timeZone": "Europe/Berlin"},
            "k3s": ["sun"],
            "reboots": ["tue", "thu"],
        },
    )
    enable_monitoring(world, webhook=True, heartbeat=True)
    enable_logs(world)
    world.set_config("honeydue:snapshots", {"bucket": "honeyDueSnapshots"})
    for key in ("snapshotKeyId", "snapshotApplicationKey"):
        world.pulumi("config", "set", "--secret", f"honeydue:{key}", f"rehearsal-{key}")
    world.pulumi("config", "set", "--secret", "honeydue:adminBasicAuth", ADMIN_USERS)
    world.set_config("honeydue:cosignPublicKey", COSIGN_KEY)
    world.pulumi("preview")
    apply(world)


# All templates use the example settings. Those of production change with every release.
EMPTY = Template(name="empty", prepare=start, project=EXAMPLE)
PRODUCTION = Template(name="production", prepare=apply, project=EXAMPLE)
BROWNFIELD = Template(name="brownfield", prepare=brownfield.build, project=EXAMPLE)
INGRESS = Template(name="ingress", prepare=apply_for_ingress, project=EXAMPLE)
EVERY_OPTION = Template(name="every-option", prepare=apply_every_option, project=EXAMPLE)
