"""A world with real nodes is gone after `down`, however it ended."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from rehearsal.layout import CHECKOUT, Layout
from rehearsal.processes import cgroups, chroot, processes
from rehearsal.real_nodes.machine import Machine, node_of
from rehearsal.world.world import World
from tools import debian

SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/ipv4/ip_forward",
    "kernel/hostname",
)
HALF_UP_SECONDS = 60
UP = "import sys; from pathlib import Path; from rehearsal.world.world import World; World(Path(sys.argv[1]), real_nodes=True).up()"
WITHIN = """
import signal, sys
from pathlib import Path
from rehearsal.world.world import World
with World(Path(sys.argv[1]), real_nodes=True):
    signal.pause()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "left"
    yield folder
    World(folder).down()


def of_the_machine(scratch: Path) -> Mapping[str, object]:
    """What a world could change outside of its folder, the processes of others excepted."""
    rules = subprocess.run(
        chroot.command(debian.root("node"), "sh", "-c", "iptables-save; ip6tables-save", folder=scratch),
        capture_output=True,
        text=True,
        check=True,
    )
    return {
        "namespace": os.stat("/proc/thread-self/ns/net").st_ino,
        "links": sorted(os.listdir("/sys/class/net")),
        "routes": Path("/proc/thread-self/net/route").read_text(),
        "rules": re.sub(r"^#.*\n|\[\d+:\d+\]", "", rules.stdout, flags=re.M),
        "mounts": [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(scratch) in line],
        "settings": {name: Path("/proc/sys", name).read_text() for name in SETTINGS},
    }


def left_of(folder: Path) -> Mapping[str, object]:
    """What of a world is there."""
    layout = Layout(folder)
    groups = [top / cgroups.name_of(layout) for top in cgroups.hierarchies(cgroups.MOUNTS.read_text())]
    return {
        "processes": [process.pid for process in processes.running(layout)],
        # With its group a container is gone too, which carries no mark of its world: one with a process cannot be removed.
        "groups": [str(group) for group in groups if group.exists()],
        "folder": folder.exists(),
    }


NOTHING = {"processes": [], "groups": [], "folder": False}


def test_up_twice_and_down_twice(folder: Path, tmp_path: Path) -> None:
    before = of_the_machine(tmp_path)
    world = World(folder, real_nodes=True)

    world.up()
    programs = world.programs()
    # Three nodes, the world, and ours.
    assert len({os.stat(f"/proc/{pid}/ns/net").st_ino for pid in programs.values()} | {before["namespace"]}) == 5
    world.up()
    assert world.programs() == programs
    assert left_of(folder)["groups"]

    assert world.down()
    assert not world.down()
    assert left_of(folder) == NOTHING
    assert of_the_machine(tmp_path) == before


def test_a_killed_up_is_taken_up_or_ended(folder: Path, tmp_path: Path) -> None:
    before = of_the_machine(tmp_path)
    starter = subprocess.Popen([sys.executable, "-c", UP, str(folder)], cwd=CHECKOUT, start_new_session=True)
    await_part_of(folder, "containerd")
    starter.kill()
    starter.wait()

    world = World(folder, real_nodes=True)
    assert not world.is_up()
    world.up()
    assert world.is_up()
    for process in processes.running(world.layout):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    assert world.down()
    assert left_of(folder) == NOTHING
    assert of_the_machine(tmp_path) == before


def test_a_world_ends_with_its_killed_owner(folder: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", WITHIN, str(folder)], cwd=CHECKOUT, start_new_session=True)
    await_part_of(folder, "kubelet")
    owner.kill()
    owner.wait()

    patiently = Retrying(retry=retry_if_result(bool), stop=stop_after_delay(HALF_UP_SECONDS), wait=wait_fixed(0.1))
    patiently(lambda: left_of(folder)["processes"] or left_of(folder)["groups"])


def test_a_lost_program_and_a_lost_machine_are_mended(folder: Path) -> None:
    world = World(folder, real_nodes=True)
    world.up()
    programs = world.programs()
    hostname = next(name.split("/")[0] for name in programs if name.endswith("/kubelet"))
    world.kubectl("create", "namespace", "kept")

    os.kill(programs[f"{hostname}/kubelet"], signal.SIGKILL)
    await_down(world)
    world.up()
    assert world.is_up()

    os.kill(Machine(layout=world.layout, hostname=hostname).init_pid(), signal.SIGKILL)
    await_down(world)
    world.up()
    assert world.is_up()
    assert world.kubectl("get", "namespace", "kept", "--output=name") == "namespace/kept\n"
    assert world.down()
    assert left_of(folder) == NOTHING


def await_part_of(folder: Path, name: str) -> None:
    def missing() -> bool:
        return name not in {node_of(process)[1] for process in processes.running(Layout(folder))}

    Retrying(retry=retry_if_result(bool), stop=stop_after_delay(HALF_UP_SECONDS), wait=wait_fixed(0.05))(missing)


def await_down(world: World) -> None:
    Retrying(retry=retry_if_result(bool), stop=stop_after_delay(HALF_UP_SECONDS), wait=wait_fixed(0.05))(world.is_up)
