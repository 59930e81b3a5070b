"""Every pinned version is matched by renovate.json. Renovate itself, which needs Node, is not run."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.cluster.upgrades import CONTROLLER
from infra.settings.logs import LogImages
from infra.settings.monitoring import MonitoringImages
from tests.recipes import ROOT
from tests.unit.capture import Capture
from tests.unit.manifests import manifests, of_kind
from tests.unit.registrations import containers
from tools import debian, programs
from tools.debian import Package, PackageSet
from tools.lock import LOCKS

CONFIG: dict[str, Any] = json.loads((ROOT / "renovate.json").read_text())
Pin = tuple[str, str]
"""The name of a dependency and its version."""


def matches(pattern: str, path: str) -> bool:
    """Whether a pattern of Renovate, which is a regular expression between slashes, matches a path."""
    assert pattern[0] == pattern[-1] == "/"
    return bool(re.search(pattern[1:-1], path))


def pins(datasource: str) -> set[Pin]:
    """All that the custom managers of a datasource find in the repository."""
    managers = [manager for manager in CONFIG["customManagers"] if manager["datasourceTemplate"] == datasource]
    assert managers
    return {pin for manager in managers for file in files(manager) for pin in matched(manager, file.read_text())}


def files(manager: dict[str, Any]) -> Iterator[Path]:
    """The files that a custom manager reads. The tests' own copies of the program are none of them."""
    for top in ("*.yaml", "infra/**/*.py", "tools/*"):
        for file in ROOT.glob(top):
            if any(matches(pattern, str(file.relative_to(ROOT))) for pattern in manager["managerFilePatterns"]):
                yield file


def matched(manager: dict[str, Any], text: str) -> Iterator[Pin]:
    """The pins that a custom manager finds in a text."""
    for expression in manager["matchStrings"]:
        # JavaScript writes a named group without the P.
        for match in re.finditer(expression.replace("(?<", "(?P<"), text, re.M):
            yield match.groupdict().get("depName") or manager["depNameTemplate"], match["currentValue"]


def test_every_helm_chart_is_matched(full_example: Capture) -> None:
    charts = {
        (chart["spec"]["chart"], chart["spec"]["version"])
        for chart in of_kind(manifests(full_example), "HelmChart")
        # Its version belongs to a minor version of k3s (infra/k3s_charts.py), so a new release is no update.
        if chart["spec"]["chart"] != CONTROLLER
    }
    assert pins("helm") == charts


def test_the_version_of_k3s_is_matched_and_of_its_versioning() -> None:
    ((name, version),) = pins("github-releases")
    assert name == "k3s-io/k3s"
    assert f"k3sVersion: {version}" in (ROOT / "Pulumi.prod.yaml").read_text()
    (manager,) = (manager for manager in CONFIG["customManagers"] if "versioningTemplate" in manager)
    versioning = manager["versioningTemplate"].removeprefix("regex:").replace("(?<", "(?P<")
    assert re.fullmatch(versioning, version)


def test_every_image_that_is_not_ours_is_matched(production: Capture) -> None:
    images = {container["image"] for _, container in containers(production)}
    # Also of parts that are off.
    images |= {image for _, image in (*MonitoringImages(), *LogImages())}
    foreign = {tuple(image.partition("@")[0].rsplit(":", 1)) for image in images if "/honeydue-" not in image}
    assert foreign
    assert pins("docker") == foreign


@pytest.mark.parametrize("each", debian.PACKAGE_SETS, ids=lambda each: each.name)
def test_every_debian_package_is_matched(each: PackageSet) -> None:
    lines = [line for line in each.lock.read_text().splitlines() if not line.startswith("#")]
    locked = {tuple(Path(Package.parse(line).path).name.split("_")[:2]) for line in lines}
    assert locked
    assert locked <= pins("deb")


def test_every_lock_file_of_python_belongs_to_pip_compile() -> None:
    compiled = {str(file.relative_to(ROOT)) for top in ("*.in", "*/*.in") for file in ROOT.glob(top)}
    assert compiled == {lock.source for lock in LOCKS}
    for lock in LOCKS:
        assert any(matches(pattern, lock.file) for pattern in CONFIG["pip-compile"]["managerFilePatterns"])
        # Else the other manager for requirements would change single lines of it.
        assert any(Path(lock.file).match(ignored) for ignored in CONFIG["pip_requirements"]["ignorePaths"])


def test_the_managers_of_all_kinds_of_pins_are_enabled() -> None:
    expected = {"pip-compile", "pip_requirements", "gomod", "npm", "github-actions", "custom.regex"}
    assert set(CONFIG["enabledManagers"]) == expected


def test_the_module_of_every_built_program_is_enabled() -> None:
    (rule,) = (rule for rule in CONFIG["packageRules"] if rule.get("matchDepTypes") == ["indirect"])
    fixed = {Path(file).parent.name for rule in CONFIG["packageRules"] for file in rule.get("matchFileNames", ())}
    expected = set()
    for program in programs.PROGRAMS:
        if not program.module:
            continue
        text = (program.folder / "go.mod").read_text()
        indirect = re.search(rf"^\s*(?:require )?{re.escape(program.module)} v\S+ // indirect$", text, re.M)
        replaced = re.search(rf"^replace {re.escape(program.module)} => ", text, re.M)
        if indirect and not replaced and program.folder.name not in fixed:
            expected.add(program.module)
    assert expected <= set(rule["matchPackageNames"])
