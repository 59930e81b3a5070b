"""docs/diagram.svg is the program's own picture: nothing is missing in it, and it changes with what is declared."""

import random
import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.diagram import outside
from tests.diagram.apps import NAMESPACE
from tests.diagram.d2 import rendered
from tests.diagram.picture import PICTURE, lines
from tests.manifests.connectivity import matrix, workloads
from tests.unit.capture import Capture, equipped_settings, example_settings, run
from tests.unit.manifests import manifests


@pytest.fixture(scope="module")
def example() -> Capture:
    return run(example_settings())


def arrows(drawn: list[str], *, dashed: bool = False) -> set[tuple[str, str, str]]:
    """One end, the other, what is said; of a box with others in it, each of those."""
    inside = {line.partition(":")[0] for line in drawn if " -> " not in line}
    found = [re.fullmatch(r'(\S+) -> (\S+): "(.*)"( \{.*\})?', line) for line in drawn]
    ends = [(one[1], one[2], one[3]) for one in found if one and bool(one[4]) == dashed]

    def each(place: str) -> list[str]:
        return [one for one in inside if one.startswith(f"{place}.")] or [place]

    return {
        (a.rpartition(".")[2], b.rpartition(".")[2], said)
        for one, other, said in ends
        for a in each(one)
        for b in each(other)
    }


def changed(key: str, **values: object) -> dict[str, object]:
    """Production's settings with some values of one key replaced."""
    settings = example_settings()
    held = settings[key]
    assert isinstance(held, dict)
    return {**settings, key: {**held, **values}}


def test_the_picture_is_what_the_program_declares(example: Capture) -> None:
    assert PICTURE.read_text() == rendered(lines(example)), (
        "docs/diagram.svg is out of date: run make diagram, and look at it"
    )


def test_it_shows_the_connections_that_the_evaluator_of_policies_finds(example: Capture) -> None:
    objects = manifests(example)
    apps = {one.title for one in workloads(objects)}
    allowed = {
        (one, other, ", ".join(ports))
        for (one, other), ports in matrix(objects).items()
        if {one, other} <= apps and ports
    }
    assert (
        {(one, other, said) for one, other, said in arrows(lines(example)) if {one, other} <= apps} == allowed != set()
    )


def test_it_shows_who_waits_for_the_migration(example: Capture) -> None:
    assert {(one, other) for one, other, _ in arrows(lines(example), dashed=True)} == {
        ("migrate", "api"),
        ("migrate", "worker"),
    }


def test_it_does_not_depend_on_the_order_of_registration(example: Capture) -> None:
    shuffled = random.Random(0).sample(example.registrations, len(example.registrations))  # noqa: S311  # an order, no secret
    assert lines(replace(example, registrations=tuple(shuffled))) == lines(example)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (changed("honeydue:scale", web=2), f'{NAMESPACE}.web: "web × 2"'),
        (changed("honeydue:edge", minTlsVersion="1.3"), 'cloudflare."to visitors": "TLS ≥ 1.3, always HTTPS"'),
        (changed("honeydue:access", sshPort=2222), 'operator -> cluster.firewall: "2222, 6443"'),
        (changed("honeydue:database", endpoint="direct"), 'DB_HOST: "Neon\\ndirect host,\\napps" {shape: cylinder}'),
        (changed("honeydue:environment", EMAIL_PORT="465"), f'{NAMESPACE}.together -> mail: "465"'),
        (
            {**equipped_settings(), "honeydue:adminBasicAuth": f"a:$2y$05${'x' * 53}"},
            'cluster.traefik."admin.": "to admin, admin-auth"',
        ),
    ],
)
def test_a_change_of_the_settings_is_seen(settings: Mapping[str, object], expected: str, example: Capture) -> None:
    assert expected not in lines(example)
    assert expected in lines(run(settings))


def test_a_port_of_the_internet_that_nothing_explains_is_no_picture(example: Capture) -> None:
    environment = next(one["data"] for one in manifests(example) if one["kind"] == "ConfigMap")
    assert outside.called(443, {}, environment) == "https"
    with pytest.raises(AssertionError, match="port 9999 of the internet"):
        outside.called(9999, {}, environment)
