"""The types of the Worker's JavaScript, which its comments declare, and of the bindings that the program declares."""

import json
import subprocess
from pathlib import Path

import pytest

from infra.edge.uptime.worker import SCRIPT
from tests.unit.capture import full_settings, run
from tools.cache import executable
from tools.npm import NODE

OPTIONS = (
    *("--noEmit", "--allowJs", "--checkJs", "--strict", "--noUnusedLocals", "--noUnusedParameters"),
    *("--target", "es2024", "--lib", "es2024", "--module", "esnext", "--moduleResolution", "bundler"),
)


def type_check(script: Path) -> subprocess.CompletedProcess[str]:
    packages = executable("miniflare", "node_modules")
    types = ["--types", "@cloudflare/workers-types", "--typeRoots", str(packages)]
    command = [str(executable("miniflare", str(NODE))), str(packages / "typescript/bin/tsc"), *OPTIONS, *types]
    return subprocess.run([*command, str(script)], capture_output=True, text=True, check=False)


def test_the_types_of_the_worker_are_correct() -> None:
    result = type_check(SCRIPT)
    assert result.returncode == 0, result.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with the script and its types."""
    for file in (SCRIPT, SCRIPT.with_name("types.d.ts")):
        (tmp_path / file.name).write_text(file.read_text())
    return tmp_path


@pytest.mark.parametrize(
    ("statement", "changed"),
    [
        ("this.#record(time, errors)", "this.#record(errors, time)"),
        ("env.STATUS_TOKEN", "env.STATUSTOKEN"),
        ("timingSafeEqual", "timingSafeCompare"),
    ],
)
def test_a_type_error_is_detected(copy: Path, statement: str, changed: str) -> None:
    script = copy / SCRIPT.name
    text = script.read_text()
    assert statement in text
    script.write_text(text.replace(statement, changed))
    assert type_check(script).returncode != 0


BINDINGS = """
import type { Config, Env } from "./types";
export const names: (keyof Env)[] = NAMES;
export const config: Config = CONFIG;
"""


def test_the_bindings_of_the_program_have_the_types_of_the_script(copy: Path) -> None:
    script = run(full_settings()).resource("WorkersScript", "uptime")
    bindings = {binding["name"]: binding for binding in script.inputs["bindings"]}
    assert len(bindings) == 6
    config = bindings["CONFIG"]["json"]
    assert json.loads(config)["mail"]
    text = BINDINGS.replace("NAMES", json.dumps(list(bindings))).replace("CONFIG;", f"{config};")
    for content, correct in ((text, True), (text.replace("sessionUrl", "session_url"), False)):
        (copy / "bindings.ts").write_text(content)
        result = type_check(copy / "bindings.ts")
        assert (result.returncode == 0) == correct, result.stdout
