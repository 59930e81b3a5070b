"""Shells, proxies, disks and processes of worlds: a command in one never acts on production or on the network."""

import os
import shutil
import subprocess
import sys
import urllib.request
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from rehearsal import layout as layout_module
from rehearsal.cli import commands
from rehearsal.clouds import endpoints
from rehearsal.engine.configuration import changed_in_copy
from rehearsal.engine.environment import shell_exports
from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout
from rehearsal.loopback import NO_PROXY_VARIABLES, exclude_from_proxies, probe, without_proxies
from rehearsal.processes import processes
from rehearsal.processes.processes import SHELL_VARIABLE
from rehearsal.processes.readiness import ProgramEndedError
from rehearsal.world.world import World
from tests.unit.site import serve


def test_the_shell_of_a_world_that_is_down_does_not_act_on_production(tmp_path: Path) -> None:
    folder = tmp_path / "absent"
    result = CliRunner().invoke(commands.cli, ["env"], env={SHELL_VARIABLE: str(folder)})
    script = f'PS1="$ "\n{result.stdout}\necho "$?" "$KUBECONFIG" "$PULUMI_BACKEND_URL" "${{HTTPS_PROXY-none}}" "$PS1"'
    variables = {"KUBECONFIG": "/of/production", "HTTPS_PROXY": "http://127.0.0.1:1", "PATH": os.defpath}
    lines = subprocess.run(
        ["/bin/bash", "-c", script], env=variables, capture_output=True, text=True, check=True
    ).stdout
    assert lines == f"1 {folder}/kubeconfig file://{folder}/backend none (rehearsal absent) $ \n"
    assert "world absent is not up" in result.stderr


def test_the_shell_of_a_world_asks_the_simulated_clouds(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make_folders()
    endpoints.port_file(layout.clouds).write_text("8080")
    exports = shell_exports(layout)
    for variable in ("HCLOUD_ENDPOINT", "CLOUDFLARE_BASE_URL"):
        assert f"export {variable}=http://127.0.0.1:8080/" in exports


def test_the_processes_of_an_engine_that_was_killed_in_the_shell_end_with_the_world(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make_folders()
    program = tmp_path / "pulumi-language-python-exec"
    program.write_text("import sys; print('on', flush=True); sys.stdin.read()")
    shell = {"PATH": os.defpath, SHELL_VARIABLE: str(layout.folder)}
    start = partial(subprocess.Popen, env=shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with (
        start([sys.executable, str(program)]) as orphan,
        start([sys.executable, "-c", program.read_text()]) as editor,
    ):
        for process in (orphan, editor):
            assert process.stdout is not None
            assert process.stdout.readline() == "on\n"
        assert processes.stop(layout) == 1
        assert orphan.wait() != 0
        assert editor.poll() is None
        editor.kill()


def test_requests_to_the_world_use_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing listens on port 1: a request through this proxy fails.
    for name in ("http_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in NO_PROXY_VARIABLES:
        monkeypatch.setenv(name, "")
    with serve({"/": b""}) as site:
        with pytest.raises(OSError, match="refused"):
            urllib.request.urlopen(site.url, timeout=5)  # noqa: S310  # always http
        probe(site.url, timeout=5)
        variables = {"http_proxy": "http://127.0.0.1:1", "NO_PROXY": "example.com"}
        assert without_proxies(variables) == {"NO_PROXY": "example.com"}
        exclude_from_proxies(os.environ)
        with urllib.request.urlopen(site.url, timeout=5):  # noqa: S310  # always http
            pass
    assert os.environ["no_proxy"] == "127.0.0.1,localhost"


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=15 * 2**20))
    with pytest.raises(RehearsalError, match=r"has 15 MiB left, and a world needs 512 MiB"):
        World(tmp_path / "world").up()
    assert str(ProgramEndedError("etcd", tmp_path / "etcd.log")).endswith(f"The disk of {tmp_path} is full")


def test_every_world_of_the_checkout_is_listed_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout_module, "WORLDS", tmp_path)
    for name in ("prod", "real"):
        Layout(tmp_path / name).make_folders()
    listed = CliRunner().invoke(commands.cli, ["--world", "prod", "status"])
    assert [line.split()[0] for line in listed.stdout.splitlines() if " down" in line] == ["prod", "real"]
    ended = CliRunner().invoke(commands.cli, ["down", "--all"])
    assert ended.stdout == "World prod is down.\nWorld real is down.\n"
    assert list(tmp_path.glob("[a-z]*")) == []


def test_values_that_were_set_in_the_world_are_named_before_they_are_replaced(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.copied_config.write_text("config:\n  honeydue:scale: {web: 2}\n  honeydue:domain: a\n")
    layout.config.write_text(
        "config:\n  honeydue:scale: {web: 3}\n  honeydue:domain: a\n  honeydue:hetznerToken: {secure: v1}\n"
    )
    assert changed_in_copy(layout) == ["honeydue:scale.web"]
