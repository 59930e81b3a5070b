"""The stack as a picture, drawn from what the program registers: `make diagram` writes docs/diagram.svg."""

from dataclasses import replace

from tests.diagram.apps import Apps
from tests.diagram.d2 import around, rendered
from tests.diagram.site import CLUSTER, edge, ingress, machines
from tests.recipes import ROOT
from tests.unit.capture import Capture, example_settings, run
from tests.unit.manifests import manifests

PICTURE = ROOT / "docs/diagram.svg"


def lines(program: Capture) -> list[str]:
    """From the visitors down to what the apps call, in the words of d2."""
    # The program registers what does not wait for anything in whatever order; the layout follows the order of the words.
    program = replace(program, registrations=tuple(sorted(program.registrations, key=lambda one: one.urn)))
    objects = manifests(program)
    return [
        around(CLUSTER, "Hetzner", "top-left"),
        *edge(program),
        *machines(program),
        *ingress(program, objects),
        *Apps(program, objects).drawn(),
    ]


if __name__ == "__main__":
    PICTURE.write_text(rendered(lines(run(example_settings()))))
