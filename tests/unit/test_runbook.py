"""docs/runbook.md tells of every secret which pods roll when it changes."""

import re
from collections.abc import Mapping

import pytest

from infra.settings.secrets import SECRETS
from tests.recipes import ROOT
from tests.unit.capture import Capture, equipped_settings, run

ROW = re.compile(r"^\| `(\w+)` \| [^|]+ \| ([^|]*)\|$", re.M)
PAGE = (ROOT / "docs/runbook.md").read_text()
OTHER: Mapping[str, str] = {
    "joinToken": f"K10{'1' * 64}::server:another",
    "adminBasicAuth": f"another:$2y$05${'x' * 53}",
}
"""Of those that must look like something."""


def told() -> dict[str, set[str]]:
    """By secret, as the table has it."""
    return {secret: set(filter(None, (app.strip() for app in apps.split(",")))) for secret, apps in ROW.findall(PAGE)}


def templates(program: Capture) -> dict[str, object]:
    """What the pods are made of: Kubernetes rolls them when it changes."""
    return {one.name: one.inputs["spec"]["template"] for kind in ("Deployment", "Job") for one in program.of(kind)}


def rolled_by(*secrets: str, before: Capture) -> set[str]:
    settings = equipped_settings() | {f"honeydue:{secret}": OTHER.get(secret, "another") for secret in secrets}
    now = templates(run(settings))
    return {name for name, template in templates(before).items() if now[name] != template}


def test_every_secret_is_in_the_table() -> None:
    assert told().keys() == SECRETS.keys()


@pytest.mark.parametrize("secret", [secret for secret, apps in told().items() if apps])
def test_a_rotated_secret_rolls_whom_the_table_names(secret: str, equipped: Capture) -> None:
    assert rolled_by(secret, before=equipped) == told()[secret]


def test_all_the_others_together_roll_nobody(equipped: Capture) -> None:
    others = [secret for secret, apps in told().items() if not apps]
    assert len(others) > 1
    assert rolled_by(*others, before=equipped) == set()
