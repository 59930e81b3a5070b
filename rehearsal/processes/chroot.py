"""Runs a program in a Debian root file system (tools/debian.py) without installing packages. Requires root."""

from pathlib import Path

_ENTER = """
set -e
root=$1 folder=$2 user=$3
shift 3
# A mount, because container runtimes require / to be one. Read-only, because worlds share the root file system.
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --bind "$folder" "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -o remount,bind,ro "$root"
exec chroot --userspec="$user" "$root" "$@"
"""


def command(root: Path, *arguments: str, folder: Path, user: int = 0) -> list[str]:
    """The command line that runs `arguments` in `root`, with `folder` mounted at /run. Only /run and /tmp are writable.

    The mounts are in a private mount namespace and disappear when the program ends. The shell replaces itself with the
    program, so a signal to the process reaches the program.
    """
    enter = ["unshare", "--mount", "sh", "-c", _ENTER, "enter", str(root), str(folder), f"{user}:{user}"]
    return [*enter, *arguments]
