"""docs/diagram.svg is up to date, and the diagram shows what the program declares."""

import random
import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.diagram import external
from tests.diagram.apps import GROUP, NAMESPACE
from tests.diagram.d2 import render
from tests.diagram.generate import DIAGRAM, lines
from tests.manifests.connectivity import matrix, workloads
from tests.unit.capture import Capture, example_settings, full_settings, run
from tests.unit.manifests import manifests


@pytest.fixture(scope="module")
def example() -> Capture:
    return run(example_settings())


def arrows(diagram: list[str], *, dashed: bool = False) -> set[tuple[str, str, str]]:
    """Source, destination and label of each arrow. An arrow at a container counts for each box in it."""
    paths = {line.partition(":")[0] for line in diagram if " -> " not in line}
    matches = [re.fullmatch(r'(\S+) -> (\S+): "(.*)"( \{.*\})?', line) for line in diagram]
    ends = [(match[1], match[2], match[3]) for match in matches if match and bool(match[4]) == dashed]

    def boxes_in(container: str) -> list[str]:
        return [path for path in paths if path.startswith(f"{container}.")] or [container]

    return {
        (source.rpartition(".")[2], destination.rpartition(".")[2], label)
        for start, end, label in ends
        for source in boxes_in(start)
        for destination in boxes_in(end)
    }


def changed(key: str, **values: object) -> dict[str, object]:
    """The example settings with some values of one key replaced."""
    settings = example_settings()
    value = settings[key]
    assert isinstance(value, dict)
    return {**settings, key: {**value, **values}}


def test_the_diagram_in_the_docs_is_up_to_date(example: Capture) -> None:
    assert DIAGRAM.read_text() == render(lines(example)), (
        "docs/diagram.svg is out of date: run make diagram, and review it"
    )


def test_the_diagram_shows_the_connections_that_the_network_policies_allow(example: Capture) -> None:
    objects = manifests(example)
    apps = {workload.title for workload in workloads(objects)}
    allowed = {
        (source, destination, ", ".join(ports))
        for (source, destination), ports in matrix(objects).items()
        if {source, destination} <= apps and ports
    }
    drawn = {
        (source, destination, label)
        for source, destination, label in arrows(lines(example))
        if {source, destination} <= apps
    }
    assert drawn == allowed != set()


def test_the_diagram_shows_that_api_and_worker_depend_on_the_migration(example: Capture) -> None:
    assert {(source, destination) for source, destination, _ in arrows(lines(example), dashed=True)} == {
        ("migrate", "api"),
        ("migrate", "worker"),
    }


def test_the_diagram_does_not_depend_on_the_order_of_registration(example: Capture) -> None:
    registrations = example.registrations
    shuffled = random.Random(0).sample(registrations, len(registrations))  # noqa: S311  # not used for cryptography
    assert lines(replace(example, registrations=tuple(shuffled))) == lines(example)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (changed("honeydue:scale", web=2), f'{NAMESPACE}.web: "web × 2"'),
        (changed("honeydue:edge", minTlsVersion="1.3"), 'cloudflare."to visitors": "TLS ≥ 1.3, always HTTPS"'),
        (changed("honeydue:access", sshPort=2222), 'operator -> cluster.firewall: "2222, 6443"'),
        (changed("honeydue:database", endpoint="direct"), 'DB_HOST: "Neon\\ndirect host,\\napps" {shape: cylinder}'),
        (changed("honeydue:environment", EMAIL_PORT="465"), f'{GROUP} -> mail: "465"'),
        (
            {**full_settings(), "honeydue:adminBasicAuth": f"a:$2y$05${'x' * 53}"},
            'cluster.traefik."admin.": "to admin, admin-auth"',
        ),
    ],
)
def test_a_change_of_the_settings_changes_the_diagram(
    settings: Mapping[str, object], expected: str, example: Capture
) -> None:
    assert expected not in lines(example)
    assert expected in lines(run(settings))


def test_an_unexplained_port_of_the_internet_is_an_error(example: Capture) -> None:
    environment = next(manifest["data"] for manifest in manifests(example) if manifest["kind"] == "ConfigMap")
    assert external.destination(443, {}, environment) == "https"
    with pytest.raises(AssertionError, match="port 9999 of the internet"):
        external.destination(9999, {}, environment)
