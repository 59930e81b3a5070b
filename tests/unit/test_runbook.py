"""docs/runbook.md lists for every secret the apps whose pods restart when it changes."""

import re
from collections.abc import Mapping

import pytest

from infra.settings.secrets import SECRETS
from tests.recipes import ROOT
from tests.unit.capture import Capture, full_settings, run
from tests.unit.placeholders import APNS_KEY, URLS

ROW = re.compile(r"^\| `(\w+)` \| [^|]+ \| ([^|]*)\|$", re.M)
PAGE = (ROOT / "docs/runbook.md").read_text()
OTHER_VALUES: Mapping[str, str] = {
    "joinToken": f"K10{'1' * 64}::server:another",
    "adminBasicAuth": f"another:$2y$05${'x' * 53}",
    "apnsKey": f"another {APNS_KEY}",
    **dict.fromkeys(URLS, "https://hooks.example.com/another"),
}
"""New values of the secrets that require a format."""


def documented() -> dict[str, set[str]]:
    """The apps of each secret, from the table of the page."""
    return {secret: set(filter(None, (app.strip() for app in apps.split(",")))) for secret, apps in ROW.findall(PAGE)}


def templates(program: Capture) -> dict[str, object]:
    """The pod template of each controller and Job. Kubernetes restarts the pods when it changes."""
    return {
        resource.name: resource.inputs["spec"]["template"]
        for kind in ("DaemonSet", "Deployment", "Job", "StatefulSet")
        for resource in program.resources(kind)
    }


def restarted_by(*secrets: str, before: Capture) -> set[str]:
    """The apps whose pods restart when these secrets change."""
    settings = full_settings() | {f"honeydue:{secret}": OTHER_VALUES.get(secret, "another") for secret in secrets}
    after = templates(run(settings))
    return {name for name, template in templates(before).items() if after[name] != template}


def test_every_secret_is_in_the_table() -> None:
    assert documented().keys() == SECRETS.keys()


@pytest.mark.parametrize("secret", [secret for secret, apps in documented().items() if apps])
def test_a_changed_secret_restarts_the_apps_of_the_table(secret: str, full_example: Capture) -> None:
    assert restarted_by(secret, before=full_example) == documented()[secret]


def test_all_other_secrets_together_restart_no_app(full_example: Capture) -> None:
    others = [secret for secret, apps in documented().items() if not apps]
    assert len(others) > 1
    assert restarted_by(*others, before=full_example) == set()
