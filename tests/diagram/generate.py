"""Draws the stack from the resources that the program registers: `make diagram` writes docs/diagram.svg."""

from dataclasses import replace

from tests.diagram.apps import Apps
from tests.diagram.d2 import container, render
from tests.diagram.request_path import CLUSTER, cloudflare, ingress, machines
from tests.recipes import ROOT
from tests.unit.capture import Capture, example_settings, run
from tests.unit.manifests import manifests

DIAGRAM = ROOT / "docs/diagram.svg"


def lines(program: Capture) -> list[str]:
    """The diagram as lines of d2, from the clients down to the services that the apps call."""
    # The layout depends on the order of the lines, and independent resources are registered in no fixed order.
    registrations = sorted(program.registrations, key=lambda registration: registration.urn)
    program = replace(program, registrations=tuple(registrations))
    objects = manifests(program)
    return [
        container(CLUSTER, "Hetzner", "top-left"),
        *cloudflare(program),
        *machines(program),
        *ingress(program, objects),
        *Apps(program, objects).lines(),
    ]


if __name__ == "__main__":
    DIAGRAM.write_text(render(lines(run(example_settings()))))
