"""Boots, power-cycles and removes the machine of a server, if the account has machines.

The cloud only knows the command in the account's settings. `rehearsal.machines` implements it.
"""

from __future__ import annotations

import json
import subprocess
from typing import Final

from ..kinds import ApiError, Cloud
from ..values import Props

_TIMEOUT_SECONDS: Final = 60


def boot(cloud: Cloud, server: Props) -> None:
    """Creates and boots a machine with the user data of its server."""
    _run(cloud, "boot", server, {**_attributes(server), "user_data": server.get("userData") or ""})


def power_cycle(cloud: Cloud, server: Props) -> None:
    """Powers a machine off and on again, which a change of the server type requires."""
    _run(cloud, "power-cycle", server, _attributes(server))


def remove(cloud: Cloud, server: Props) -> None:
    """Removes a machine and its disk."""
    _run(cloud, "remove", server, {})


def _attributes(server: Props) -> Props:
    return {"server_type": server["serverType"], "location": server["location"], "ipv4": server["ipv4Address"]}


def _run(cloud: Cloud, verb: str, server: Props, stdin: Props) -> None:
    if not cloud.account.machines:
        return
    command = [*cloud.account.machines, verb, server["name"]]
    # On standard input: the user data contains keys, and every user can read the arguments of a process.
    completed = subprocess.run(
        command, input=json.dumps(stdin), capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECONDS
    )
    if completed.returncode != 0:
        lines = [line for line in completed.stderr.splitlines() if line.strip()] or ["(no error output)"]
        raise ApiError(f"the machine of server {server['name']} failed to {verb}: {lines[-1]}")
