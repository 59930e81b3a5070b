"""The diffs that docs/architecture.md shows really apply, and do what is said there."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.unit.capture import ROOT, Capture

RECIPES = dict(
    zip(
        ("a node", "a host name", "a service"),
        re.findall(r"```diff\n(.*?)```", (ROOT / "docs/architecture.md").read_text(), re.S),
        strict=True,
    )
)
LIST = "from tests.unit.capture import production, run; print(*(one.urn for one in run(production()).registrations), sep='\\n')"


def named(urns: Iterable[str]) -> set[str]:
    """Kind and name of what the URNs stand for."""
    return {f"{urn.split('::')[-2].rsplit(':', 1)[-1]} {urn.split('::')[-1]}" for urn in urns}


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
def test_a_recipe_adds_what_it_says_and_nothing_else(recipe: str, expected: set[str], tmp_path: Path, program: Capture) -> None:
    for file in [*ROOT.glob("*.py"), *ROOT.glob("*.yaml"), *ROOT.glob("infra/**/*.py"), *ROOT.glob("tests/**/*.py")]:
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=RECIPES[recipe], text=True, check=True)  # noqa: S607  # git is a prerequisite
    done = subprocess.run([sys.executable, "-c", LIST], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before = named(one.urn for one in program.registrations)
    assert named(done.stdout.splitlines()) - before == expected
    assert before <= named(done.stdout.splitlines())
