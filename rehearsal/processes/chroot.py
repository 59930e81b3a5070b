"""Runs a program in one of Debian's root file systems (tools/debian.py), with nothing installed on this machine. It takes root."""

from pathlib import Path

_ENTER = """
set -e
root=$1 folder=$2 user=$3
shift 3
# A mount of its own: what runs containers needs / to be one. Read-only: worlds share it.
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
    """The command line for that program; inside, `folder` is /run, and all else but /tmp cannot be written to.

    Its mounts are seen by it alone and go when it ends. It is one process: what is signalled is the program itself.
    """
    enter = ["unshare", "--mount", "sh", "-c", _ENTER, "enter", str(root), str(folder), f"{user}:{user}"]
    return [*enter, *arguments]
