"""The control groups of real nodes. Unlike mounts and namespaces, they remain when the last process ends."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout

MOUNTS = Path("/proc/self/mounts")
REMOVE_SECONDS = 10.0


def hierarchies(mounts: str) -> list[Path]:
    """The folders in which controllers are mounted: one per controller for cgroup v1, a single one for cgroup v2.

    `mounts` is the content of /proc/self/mounts.
    """
    rows = [line.split()[:4] for line in mounts.splitlines()]
    v1 = [Path(folder) for _, folder, kind, options in rows if kind == "cgroup" and "name=" not in options]
    v2 = [Path(folder) for _, folder, kind, _ in rows if kind == "cgroup2"]
    return list(dict.fromkeys(v1 or v2))


def name_of(layout: Layout) -> str:
    """The name of the control group of a world. It contains the groups of the nodes."""
    return f"honeydue-{hashlib.sha256(str(layout.folder).encode()).hexdigest()[:12]}"


def of_node(layout: Layout, hostname: str) -> list[Path]:
    """The control groups of a node, one for each hierarchy."""
    return [top / name_of(layout) / hostname for top in hierarchies(MOUNTS.read_text())]


def create(layout: Layout, hostname: str) -> list[Path]:
    """Creates the control groups of a node where they do not exist, and returns them."""
    groups = of_node(layout, hostname)
    if not groups:
        raise RehearsalError(
            "real nodes need control groups, but none are mounted at /sys/fs/cgroup. Without real nodes: NODES=kwok"
        )
    for group in groups:
        _delegate(group.parent.parent)
        for created in (group.parent, group):
            created.mkdir(exist_ok=True)
            _inherit_cpuset(created)
            _delegate(created)
    return groups


def _delegate(group: Path) -> None:
    """cgroup v2: enables all controllers for the groups below."""
    if (controllers := group / "cgroup.controllers").exists():
        enable = " ".join(f"+{controller}" for controller in controllers.read_text().split())
        (group / "cgroup.subtree_control").write_text(enable)


def _inherit_cpuset(group: Path) -> None:
    """cgroup v1: copies the CPUs and memory nodes of the parent. A new cpuset has none and accepts no process."""
    for file in ("cpuset.mems", "cpuset.cpus"):
        if (group / file).exists() and not (group / "cgroup.controllers").exists():
            (group / file).write_text((group.parent / file).read_text())


def entry(group: Path) -> Path:
    """The file to which a process of the node writes its process id to join the group."""
    # cgroup v2: a group with enabled controllers cannot contain processes, so boot.sh creates the leaf group `init`.
    return group / ("init/cgroup.procs" if (group / "cgroup.controllers").exists() else "cgroup.procs")


def remove(layout: Layout) -> None:
    """Removes all control groups of the world. Its processes must have ended. Removing them again does nothing."""
    # Only Linux has control groups.
    for top in hierarchies(MOUNTS.read_text()) if MOUNTS.exists() else []:
        world = top / name_of(layout)
        if world.exists():
            # The kernel marks a group as empty shortly after its last process has ended.
            retrying = Retrying(
                retry=retry_if_exception_type(OSError), stop=stop_after_delay(REMOVE_SECONDS), wait=wait_fixed(0.05)
            )
            retrying(_remove, world)


def _remove(world: Path) -> None:
    for group in _leaves_first(world):
        group.rmdir()


def _leaves_first(group: Path) -> Iterator[Path]:
    children: Sequence[Path] = [child for child in group.iterdir() if child.is_dir()] if group.exists() else []
    for child in children:
        yield from _leaves_first(child)
    if group.exists():
        yield group
