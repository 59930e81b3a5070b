"""After `down`, nothing of a world with real nodes is left on the machine, even if the world was killed."""

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

SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/ipv4/ip_forward",
    "kernel/hostname",
)
TIMEOUT_SECONDS = 120
UP = """
import sys
from pathlib import Path
from rehearsal.world.world import World
World(Path(sys.argv[1]), real_nodes=True).up()
"""
HOLD_WORLD = """
import signal, sys
from pathlib import Path
from rehearsal.world.world import World
with World(Path(sys.argv[1]), real_nodes=True):
    signal.pause()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "world"
    yield folder
    World(folder).down()


def machine_state(scratch: Path) -> Mapping[str, object]:
    """What a world could change outside its folder, except processes: network, mounts and kernel settings."""
    rules = subprocess.run(
        chroot.command(debian.root_filesystem("node"), "sh", "-c", "iptables-save; ip6tables-save", folder=scratch),
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
        "sysctls": {name: Path("/proc/sys", name).read_text() for name in SYSCTLS},
    }


def remains(folder: Path) -> Mapping[str, object]:
    """The processes and cgroups of a world, and whether its folder exists."""
    layout = Layout(folder)
    groups = [hierarchy / cgroups.name_of(layout) for hierarchy in cgroups.hierarchies(cgroups.MOUNTS.read_text())]
    return {
        "processes": [process.pid for process in processes.running(layout)],
        # A cgroup with processes cannot be removed. Without the cgroup no container is left, although containers do not
        # carry the environment variable that marks processes of a world.
        "groups": [str(group) for group in groups if group.exists()],
        "folder": folder.exists(),
    }


NOTHING = {"processes": [], "groups": [], "folder": False}


def test_up_and_down_are_idempotent(folder: Path, tmp_path: Path) -> None:
    before = machine_state(tmp_path)
    world = World(folder, real_nodes=True)

    world.up()
    programs = world.programs()
    # Network namespaces: three nodes, the world, and the one of the tests.
    assert len({os.stat(f"/proc/{pid}/ns/net").st_ino for pid in programs.values()} | {before["namespace"]}) == 5
    world.up()
    assert world.programs() == programs
    assert remains(folder)["groups"]

    assert world.down()
    assert not world.down()
    assert remains(folder) == NOTHING
    assert machine_state(tmp_path) == before


def test_a_killed_up_can_be_repeated_and_cleaned_up(folder: Path, tmp_path: Path) -> None:
    before = machine_state(tmp_path)
    starter = subprocess.Popen([sys.executable, "-c", UP, str(folder)], cwd=CHECKOUT, start_new_session=True)
    await_program(folder, "containerd")
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
    assert remains(folder) == NOTHING
    assert machine_state(tmp_path) == before


def test_a_world_is_stopped_when_its_owner_is_killed(folder: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", HOLD_WORLD, str(folder)], cwd=CHECKOUT, start_new_session=True)
    await_program(folder, "kubelet")
    owner.kill()
    owner.wait()

    retry = Retrying(retry=retry_if_result(bool), stop=stop_after_delay(TIMEOUT_SECONDS), wait=wait_fixed(0.1))
    retry(lambda: remains(folder)["processes"] or remains(folder)["groups"])


def test_up_repairs_a_killed_kubelet_and_a_killed_machine(folder: Path) -> None:
    world = World(folder, real_nodes=True)
    world.up()
    programs = world.programs()
    hostname = next(name.split("/")[0] for name in programs if name.endswith("/kubelet"))
    world.kubectl("create", "namespace", "persistent")

    os.kill(programs[f"{hostname}/kubelet"], signal.SIGKILL)
    await_down(world)
    world.up()
    assert world.is_up()

    os.kill(Machine(layout=world.layout, hostname=hostname).init_pid(), signal.SIGKILL)
    await_down(world)
    world.up()
    assert world.is_up()
    assert world.kubectl("get", "namespace", "persistent", "--output=name") == "namespace/persistent\n"
    assert world.down()
    assert remains(folder) == NOTHING


def await_program(folder: Path, name: str) -> None:
    def missing() -> bool:
        return name not in {node_of(process)[1] for process in processes.running(Layout(folder))}

    Retrying(retry=retry_if_result(bool), stop=stop_after_delay(TIMEOUT_SECONDS), wait=wait_fixed(0.05))(missing)


def await_down(world: World) -> None:
    Retrying(retry=retry_if_result(bool), stop=stop_after_delay(TIMEOUT_SECONDS), wait=wait_fixed(0.05))(world.is_up)
