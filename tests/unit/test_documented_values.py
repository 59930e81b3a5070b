"""The documented commands store text as text, whatever its characters are."""

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from infra.settings.schema import Settings
from ops import stackfile
from tests.recipes import ROOT
from tests.unit.capture import full_settings

PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
COMMAND = re.compile(r"pulumi config set (?P<options>[^`\n]*?)--path '?honeydue:(?P<path>[\w.]+)'? ")
COMMANDS = sorted(
    {
        (match["path"], "--type string" in match["options"])
        for page in PAGES
        for match in COMMAND.finditer(page.read_text())
    }
)
DIGITS = 1234567890


def accepts(path: str, value: object) -> bool:
    """Whether the settings are valid with this value."""
    settings: dict[str, Any] = {
        key.removeprefix("honeydue:"): copy.deepcopy(entry) for key, entry in full_settings().items()
    }
    settings = {
        key: entry for key, entry in settings.items() if key in {f.alias for f in Settings.model_fields.values()}
    }
    target: Any = settings
    *parents, last = path.split(".")
    for parent in parents:
        target = target.setdefault(parent, {})
    target[last] = value
    try:
        Settings.model_validate(settings)
    except ValidationError as error:
        # An error of another key, for example a new node that is not complete, does not matter here.
        return not any(".".join(map(str, details["loc"])) == path for details in error.errors())
    return True


@pytest.mark.parametrize(("path", "typed"), COMMANDS)
def test_a_command_for_text_keeps_a_value_of_digits(path: str, typed: bool) -> None:
    """`pulumi config set --path` stores digits as a number, unless the command has the type."""
    if accepts(path, str(DIGITS)) and not accepts(path, DIGITS):
        assert typed


def test_the_pages_have_such_commands() -> None:
    assert ("nodes.hetzner4.hostname", True) in COMMANDS
    assert not accepts("images.api", DIGITS)


def test_the_documented_program_makes_a_deployment_of_a_stateful_set_with_a_volume() -> None:
    (program,) = re.findall(r"jq '(.*?)' >", (ROOT / "docs/adoption.md").read_text(), re.S)
    stateful_set = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "redis", "namespace": "honeydue", "labels": {"app": "redis"}, "uid": "1"},
        "spec": {
            "replicas": 1,
            "serviceName": "redis",
            "selector": {"matchLabels": {"app": "redis"}},
            "template": {"spec": {"volumes": [{"name": "tmp", "emptyDir": {}}]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
        },
    }
    command = ["jq", program]
    printed = subprocess.run(command, input=json.dumps(stateful_set), capture_output=True, text=True, check=True).stdout
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "data-redis-0"}}
    assert json.loads(printed) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "redis", "namespace": "honeydue", "labels": {"app": "redis"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "redis"}},
            "strategy": {"type": "Recreate"},
            "template": {"spec": {"volumes": [{"name": "tmp", "emptyDir": {}}, claim]}},
        },
    }


@pytest.mark.parametrize(
    "tag", ["1234567890", "0123456789", "1e10", "12_34", "1e1_0", "0X12", "2026-1-1", "true", "null", "0b11"]
)
def test_a_release_writes_each_tag_as_text_for_every_parser(tag: str, tmp_path: Path) -> None:
    """The engine reads 1e1_0 and 0X12 as numbers, and 2026-1-1 as a time, unless they are quoted."""
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text("config:\n  honeydue:images: {api: 12b2f9d43b}\n")
    stackfile.set_value(file, "honeydue:images.api", tag)
    assert re.search(rf"api: (\"|'){tag}\1", file.read_text())
    assert stackfile.load(file)["config"]["honeydue:images"]["api"] == tag
