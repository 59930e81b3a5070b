"""What happens to a machine when its server is created, resized or deleted, where the account has machines at all.

Whoever plays them is a command that the account names; this cloud knows nothing else of it.
"""

from __future__ import annotations

import json
import subprocess
from typing import Final

from ..kinds import ApiError, Cloud
from ..values import Props

_SECONDS: Final = 60


def boot(cloud: Cloud, server: Props) -> None:
    """A new machine, with its user data."""
    _tell(cloud, "boot", server, {**_described(server), "user_data": server.get("userData") or ""})


def cycle(cloud: Cloud, server: Props) -> None:
    """Off and on again: what a change of its type takes."""
    _tell(cloud, "power-cycle", server, _described(server))


def remove(cloud: Cloud, server: Props) -> None:
    """Off for ever, and the disk with it."""
    _tell(cloud, "remove", server, {})


def _described(server: Props) -> Props:
    return {"server_type": server["serverType"], "location": server["location"], "ipv4": server["ipv4Address"]}


def _tell(cloud: Cloud, verb: str, server: Props, what: Props) -> None:
    if not cloud.account.machines:
        return
    command = [*cloud.account.machines, verb, server["name"]]
    # By its input: the user data holds keys, which arguments would show to everybody on this machine.
    done = subprocess.run(
        command, input=json.dumps(what), capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    if done.returncode != 0:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "it said nothing")
        raise ApiError(f"the machine of server {server['name']} failed to {verb}: {last}")
