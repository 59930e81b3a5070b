"""The recipes of docs/architecture.md for a new node, host name or service register the resources that the page lists.

The tests replace the names of a recipe, so that it also applies to a program that contains it already.
"""

import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from infra.names import hostnames
from tests.recipes import checkout, recipe
from tests.unit.capture import Capture, Registration, run, with_placeholders


def resource_names(registrations: Iterable[Registration]) -> set[str]:
    return {f"{registration.kind} {registration.name}" for registration in registrations}


@pytest.mark.parametrize(
    ("name", "instead", "expected"),
    [
        (
            "Add a node",
            ("hetzner4", "hetzner9"),
            {
                "Server hetzner9",
                "PrimaryIp hetzner9",
                *(f"DnsRecord {host}-hetzner9" for host in hostnames("example.com")),
            },
        ),
        (
            "Add a host name",
            ("www", "another"),
            {"Ingress honeydue-another", *(f"DnsRecord another-hetzner{number}" for number in (1, 2, 3))},
        ),
        (
            "Add a service",
            ("docs", "manuals"),
            {
                "Workload manuals",
                "Deployment manuals",
                "Service manuals",
                "ServiceAccount manuals",
                "NetworkPolicy manuals",
                "PodDisruptionBudget manuals",
                "Ingress honeydue-manuals",
                *(f"DnsRecord manuals-hetzner{number}" for number in (1, 2, 3)),
            },
        ),
    ],
)
def test_a_recipe_registers_exactly_its_resources(
    name: str, instead: tuple[str, str], expected: set[str], tmp_path: Path, example: Capture
) -> None:
    folder = checkout(tmp_path)
    recipe(name, instead=instead).apply(folder)
    before, after = (
        resource_names(example.registrations),
        resource_names(run(with_placeholders(folder / "Pulumi.prod.yaml"), checkout=folder).registrations),
    )
    assert after - before == expected
    assert before <= after


def test_a_diff_that_does_not_apply_is_an_error(tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    (folder / "infra/names.py").write_text("")
    with pytest.raises(subprocess.CalledProcessError):
        recipe("Add a host name").apply(folder)
