"""A clone of a template has no pending change, runs at the same time as other clones, and leaves nothing behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.errors import RehearsalError
from rehearsal.layout import CHECKOUT, Layout
from rehearsal.processes import processes
from rehearsal.world import template
from rehearsal.world.template import Template
from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE, all_objects
from tests.rehearsal.templates import PRODUCTION, start
from tests.retry import attempts
from tools.cache import cache_folder

UP = """
import sys
from pathlib import Path
from rehearsal.world.world import World

World(Path(sys.argv[1]), project=Path(sys.argv[2])).up()
"""
KILLED = """
import sys
from pathlib import Path
from rehearsal.world.template import Template

def prepare(world):
    print("started", flush=True)
    sys.stdin.read()

Template(name="killed", prepare=prepare).clone(Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[World]]:
    """Two clones of one template, started at the same time."""
    folder = tmp_path_factory.mktemp("clones")
    worlds = [PRODUCTION.clone(folder / name) for name in ("first", "second")]
    try:
        arguments = [str(worlds[1].layout.folder), str(worlds[1].project)]
        with subprocess.Popen([sys.executable, "-c", UP, *arguments], cwd=CHECKOUT) as starter:
            worlds[0].up()
        assert starter.returncode == 0
        yield worlds
    finally:
        for world in worlds:
            world.down()


def test_a_preview_and_a_refresh_of_a_clone_find_no_change(clones: list[World]) -> None:
    first, second = clones
    first.pulumi("preview", "--expect-no-changes", "--diff")
    second.pulumi("preview", "--refresh", "--expect-no-changes", "--diff")


def test_clones_share_neither_ports_nor_objects(clones: list[World]) -> None:
    first, second = clones
    assert not set(first.ports().values()) & set(second.ports().values())
    before = all_objects(second)
    assert all_objects(first).keys() == before.keys()
    first.kubectl("create", "configmap", "only-here", "-n", NAMESPACE)
    first.kubectl("delete", "deployment", "web", "-n", NAMESPACE)
    assert all_objects(second) == before


def test_kwok_runs_in_a_clone(clones: list[World]) -> None:
    world = clones[1]
    world.kubectl("rollout", "restart", "deployment/api", "-n", NAMESPACE)
    world.kubectl("rollout", "status", "deployment/api", "-n", NAMESPACE, "--timeout=60s")
    assert "simulated by kwok" in world.kubectl("logs", "deployment/api", "-n", NAMESPACE)


def test_no_file_of_a_clone_contains_a_path_of_the_template_or_of_another_clone(clones: list[World]) -> None:
    others = [str(template.folder()).encode(), str(clones[0].layout.folder).encode()]
    # The programs in the cache have paths of their own. The state contains the source position of every resource.
    files = [file for file in clones[1].layout.folder.rglob("*") if file.is_file() and not file.is_symlink()]
    texts = {file: re.sub(rb'"sourcePosition":"[^"]*"', b"", file.read_bytes()) for file in files}
    assert [file for file, text in texts.items() if any(path in text for path in others)] == []


# This test must be the last one with these clones, because it removes one of them.
def test_a_killed_clone_restarts_with_its_ports_and_down_removes_it(clones: list[World]) -> None:
    first, second = clones
    ports = second.ports()
    for process in processes.running(second.layout):
        process.kill()
    second.up()
    assert second.ports() == ports
    assert second.down()
    assert processes.running(second.layout) == []
    assert not second.layout.folder.exists()
    assert not second.down()
    assert first.is_up()


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with the same programs, and without templates."""
    cache = tmp_path / "cache"
    cache.mkdir()
    for program in cache_folder().iterdir():
        if program.name != template.folder().name:
            (cache / program.name).symlink_to(program)
    monkeypatch.setenv("HONEYDUE_CACHE", str(cache))
    return cache


def test_a_killed_preparation_leaves_no_template_and_the_next_one_starts_from_scratch(
    own_cache: Path, tmp_path: Path
) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    starter = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "clone")],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    assert starter.stdout.readline() == "started\n"
    starter.send_signal(signal.SIGKILL)
    starter.communicate()
    (unfinished,) = (own_cache / "worlds").glob(".building-*/world")
    for attempt in attempts(seconds=10):
        with attempt:
            assert processes.running(Layout(unfinished)) == []
    assert list((own_cache / "worlds").glob("[!.]*")) == []

    prepared: list[Path] = []

    def prepare(world: World) -> None:
        start(world)
        prepared.append(world.layout.folder)

    second = Template(name="killed", prepare=prepare)
    # Moves the unfinished template to the place of the second one, as if both had the same key.
    shutil.move(unfinished.parent, second.path.with_name(f".building-{second.path.name}"))
    (second.path.with_name(f".building-{second.path.name}") / "world" / "unfinished").touch()
    world = second.clone(tmp_path / "clone")
    assert len(prepared) == 1
    assert not list(world.layout.folder.glob("unfinished"))
    assert [path for path in (own_cache / "worlds").iterdir() if path.is_dir()] == [second.path]
    assert not list(second.path.glob("unfinished"))

    with pytest.raises(RehearsalError, match="preparation failed"):
        Template(name="broken", prepare=fail).clone(tmp_path / "broken")
    assert [path for path in (own_cache / "worlds").iterdir() if path.is_dir()] == [second.path]


def fail(_: World) -> None:
    raise RehearsalError("preparation failed")
