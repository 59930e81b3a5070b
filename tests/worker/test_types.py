"""The types of the Worker's JavaScript, which its comments declare."""

import subprocess
from pathlib import Path

import pytest

from infra.edge.uptime.worker import SCRIPT
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


@pytest.mark.parametrize(
    ("statement", "changed"),
    [
        ("this.#record(time, errors)", "this.#record(errors, time)"),
        ("env.STATUS_TOKEN", "env.STATUSTOKEN"),
        ("timingSafeEqual", "timingSafeCompare"),
    ],
)
def test_a_type_error_is_detected(tmp_path: Path, statement: str, changed: str) -> None:
    text = SCRIPT.read_text()
    assert text.count(statement) >= 1
    (tmp_path / "types.d.ts").write_text(SCRIPT.with_name("types.d.ts").read_text())
    (tmp_path / "worker.js").write_text(text.replace(statement, changed))
    assert type_check(tmp_path / "worker.js").returncode != 0
