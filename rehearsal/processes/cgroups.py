"""The control groups of a world's nodes: the only thing that the kernel does not take away with a node's last process."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout

MOUNTS = Path("/proc/self/mounts")
REMOVE_SECONDS = 10.0


def hierarchies(mounts: str) -> list[Path]:
    """Where controllers are mounted: one folder per controller of the first version, or the one of the second."""
    found = [line.split()[:4] for line in mounts.splitlines()]
    first = [Path(folder) for _, folder, kind, options in found if kind == "cgroup" and "name=" not in options]
    second = [Path(folder) for _, folder, kind, _ in found if kind == "cgroup2"]
    return list(dict.fromkeys(first or second))


def name_of(layout: Layout) -> str:
    """The group of a whole world, the same for whoever ends it."""
    return f"honeydue-{hashlib.sha256(str(layout.folder).encode()).hexdigest()[:12]}"


def of_node(layout: Layout, hostname: str) -> list[Path]:
    """A node's group in every hierarchy."""
    return [top / name_of(layout) / hostname for top in hierarchies(MOUNTS.read_text())]


def create(layout: Layout, hostname: str) -> list[Path]:
    """Likewise, made where it is not there."""
    groups = of_node(layout, hostname)
    if not groups:
        raise RehearsalError(
            "real nodes need control groups, and none are mounted at /sys/fs/cgroup; without: NODES=kwok"
        )
    for group in groups:
        _delegate(group.parent.parent)
        for one in (group.parent, group):
            one.mkdir(exist_ok=True)
            _inherit(one)
            _delegate(one)
    return groups


def _delegate(group: Path) -> None:
    """Of the second version: hands all controllers on to the groups below."""
    if (offered := group / "cgroup.controllers").exists():
        (group / "cgroup.subtree_control").write_text(" ".join(f"+{one}" for one in offered.read_text().split()))


def _inherit(group: Path) -> None:
    """Of the first version: a new group may use no processor and no memory, and takes no process, until it is told which."""
    for file in ("cpuset.mems", "cpuset.cpus"):
        if (group / file).exists() and not (group / "cgroup.controllers").exists():
            (group / file).write_text((group.parent / file).read_text())


def entry(group: Path) -> Path:
    """The file that a process of the node writes itself to."""
    # Of the second version boot.sh makes a leaf, as a group with controllers holds no process itself.
    return group / ("init/cgroup.procs" if (group / "cgroup.controllers").exists() else "cgroup.procs")


def remove(layout: Layout) -> None:
    """Removes all groups of the world, whose processes have ended. Done twice, it does nothing."""
    # Only Linux has any.
    for top in hierarchies(MOUNTS.read_text()) if MOUNTS.exists() else []:
        world = top / name_of(layout)
        if world.exists():
            # The kernel tells that a group is empty a little after its last process has ended.
            patiently = Retrying(
                retry=retry_if_exception_type(OSError), stop=stop_after_delay(REMOVE_SECONDS), wait=wait_fixed(0.05)
            )
            patiently(_remove, world)


def _remove(world: Path) -> None:
    for group in _from_the_bottom(world):
        group.rmdir()


def _from_the_bottom(group: Path) -> Iterator[Path]:
    below: Sequence[Path] = [one for one in group.iterdir() if one.is_dir()] if group.exists() else []
    for one in below:
        yield from _from_the_bottom(one)
    if group.exists():
        yield group
