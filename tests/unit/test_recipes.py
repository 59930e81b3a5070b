"""The diffs that docs/architecture.md shows really apply, and do what is said there."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.recipes import applied
from tests.unit.capture import Capture

LIST = "from tests.unit.capture import production, run; print(*(one.urn for one in run(production()).registrations), sep='\\n')"


def named(urns: Iterable[str]) -> set[str]:
    """Kind and name of what the URNs stand for; without the stack itself, which the SDK registers once in a process."""
    return {f"{urn.split('::')[-2].rsplit(':', 1)[-1]} {urn.split('::')[-1]}" for urn in urns if "pulumi:pulumi:Stack::" not in urn}


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("a node", {"Server hetzner4", "PrimaryIp hetzner4", *(f"DnsRecord {host}-hetzner4" for host in ("api", "admin", "app", "apex"))}),
        ("a host name", {f"DnsRecord www-hetzner{number}" for number in (1, 2, 3)}),
        (
            "a service",
            {
                "Workload docs",
                "Deployment docs",
                "Service docs",
                "ServiceAccount docs",
                "NetworkPolicy docs",
                "PodDisruptionBudget docs",
                "Ingress honeydue-docs",
                *(f"DnsRecord docs-hetzner{number}" for number in (1, 2, 3)),
            },
        ),
    ],
)
def test_a_recipe_adds_what_it_says_and_nothing_else(recipe: str, expected: set[str], tmp_path: Path, shipped: Capture) -> None:
    applied(recipe, tmp_path, also=("tests/**/*.py",))
    done = subprocess.run([sys.executable, "-c", LIST], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before = named(one.urn for one in shipped.registrations)
    assert named(done.stdout.splitlines()) - before == expected
    assert before <= named(done.stdout.splitlines())
