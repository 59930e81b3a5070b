"""A clone of a prepared world: nothing looks changed in it, it stands beside others, and it leaves nothing behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from rehearsal.errors import RehearsalError
from rehearsal.layout import CHECKOUT, Layout
from rehearsal.processes import processes
from rehearsal.world import template
from rehearsal.world.template import Template
from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE, everything
from tests.rehearsal.templates import PRODUCTION, start
from tools.cache import cache_folder

UP = "import sys; from pathlib import Path; from rehearsal.world.world import World; World(Path(sys.argv[1])).up()"
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
    worlds = [PRODUCTION.clone(folder / name) for name in ("one", "other")]
    try:
        with subprocess.Popen([sys.executable, "-c", UP, str(worlds[1].layout.folder)], cwd=CHECKOUT) as beside:
            worlds[0].up()
        assert beside.returncode == 0
        yield worlds
    finally:
        for world in worlds:
            world.down()


def test_the_first_preview_is_empty_and_a_refresh_finds_nothing(clones: list[World]) -> None:
    one, other = clones
    one.pulumi("preview", "--expect-no-changes", "--diff")
    other.pulumi("preview", "--refresh", "--expect-no-changes", "--diff")


def test_clones_share_neither_ports_nor_objects(clones: list[World]) -> None:
    one, other = clones
    assert not set(one.ports().values()) & set(other.ports().values())
    before = everything(other)
    assert everything(one).keys() == before.keys()
    one.kubectl("create", "configmap", "only-here", "-n", NAMESPACE)
    one.kubectl("delete", "deployment", "web", "-n", NAMESPACE)
    assert everything(other) == before


def test_what_kwok_plays_goes_on_in_a_clone(clones: list[World]) -> None:
    world = clones[1]
    world.kubectl("rollout", "restart", "deployment/api", "-n", NAMESPACE)
    world.kubectl("rollout", "status", "deployment/api", "-n", NAMESPACE, "--timeout=60s")
    assert "simulated by kwok" in world.kubectl("logs", "deployment/api", "-n", NAMESPACE)


def test_no_path_of_the_template_or_of_another_clone_stands_in_a_clone(clones: list[World]) -> None:
    others = [str(template.folder()).encode(), str(clones[0].layout.folder).encode()]
    # A clone's own programs stand in the cache too, under other names; and the state tells from which line a resource came.
    files = [file for file in clones[1].layout.folder.rglob("*") if file.is_file() and not file.is_symlink()]
    texts = {file: re.sub(rb'"sourcePosition":"[^"]*"', b"", file.read_bytes()) for file in files}
    assert [file for file, text in texts.items() if any(path in text for path in others)] == []


# The last test of these clones: one of them is gone after it.
def test_a_killed_clone_starts_at_its_own_ports_again_and_leaves_nothing_behind(clones: list[World]) -> None:
    one, other = clones
    ports = other.ports()
    for process in processes.running(other.layout):
        process.kill()
    other.up()
    assert other.ports() == ports
    assert other.down()
    assert processes.running(other.layout) == []
    assert not other.layout.folder.exists()
    assert not other.down()
    assert one.is_up()


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Without templates, and with the programs of the usual one."""
    cache = tmp_path / "cache"
    cache.mkdir()
    for program in cache_folder().iterdir():
        if program.name != template.folder().name:
            (cache / program.name).symlink_to(program)
    monkeypatch.setenv("HONEYDUE_CACHE", str(cache))
    return cache


def test_a_killed_preparation_leaves_no_template_and_the_next_one_starts_anew(own_cache: Path, tmp_path: Path) -> None:
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
    (half,) = (own_cache / "worlds").glob(".building-*/world")
    for attempt in Retrying(stop=stop_after_delay(10), wait=wait_fixed(0.05), reraise=True):
        with attempt:
            assert processes.running(Layout(half)) == []
    assert list((own_cache / "worlds").glob("[!.]*")) == []

    made: list[Path] = []

    def prepare(world: World) -> None:
        start(world)
        made.append(world.layout.folder)

    again = Template(name="killed", prepare=prepare)
    # The killed one's place, as if both preparations had one source.
    shutil.move(half.parent, again.path.with_name(f".building-{again.path.name}"))
    (again.path.with_name(f".building-{again.path.name}") / "world" / "of-the-killed-one").touch()
    world = again.clone(tmp_path / "clone")
    assert len(made) == 1
    assert not list(world.layout.folder.glob("of-the-killed-one"))
    assert [one for one in (own_cache / "worlds").iterdir() if one.is_dir()] == [again.path]
    assert not list(again.path.glob("of-the-killed-one"))

    with pytest.raises(RehearsalError, match="it broke"):
        Template(name="broken", prepare=broken).clone(tmp_path / "broken")
    assert [one for one in (own_cache / "worlds").iterdir() if one.is_dir()] == [again.path]


def broken(_: World) -> None:
    raise RehearsalError("it broke")
