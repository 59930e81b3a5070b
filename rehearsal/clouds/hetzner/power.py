"""What happens to a machine when its server is created, powered on or off, resized or deleted.

The account can contain a command for it. The cloud has no other connection to the machines.
"""

from __future__ import annotations

import json
import subprocess
from typing import Final

from ..cloud import Cloud
from ..store import Object
from .errors import RefusedError
from .primary_ips import of_server

_SECONDS: Final = 60


def boot(cloud: Cloud, server: Object, user_data: str, *, running: bool) -> None:
    """A new machine, with its user data."""
    if running:
        _run(cloud, "boot", server, {**_description(cloud, server), "user_data": user_data})
    elif cloud.account.machines:
        raise RefusedError("server_error", "a machine that is not started after its creation is not simulated")


def start(cloud: Cloud, server: Object) -> None:
    """On, with the disk that the machine had."""
    _run(cloud, "start", server, {})


def stop(cloud: Cloud, server: Object) -> None:
    """The server is off. Its disk is preserved."""
    _run(cloud, "stop", server, {})


def power_cycle(cloud: Cloud, server: Object) -> None:
    """Off and on again, as the server is now: after a change of its type, or for a reboot."""
    _run(cloud, "power-cycle", server, _description(cloud, server))


def remove(cloud: Cloud, server: Object) -> None:
    """Off for ever, and the disk with it."""
    _run(cloud, "remove", server, {})


def _description(cloud: Cloud, server: Object) -> Object:
    address = of_server(cloud, server["id"], "ipv4")
    ipv4 = "" if address is None else address["ip"]
    return {"server_type": server["server_type"], "location": server["location"], "ipv4": ipv4}


def _run(cloud: Cloud, verb: str, server: Object, description: Object) -> None:
    if not cloud.account.machines:
        return
    command = [*cloud.account.machines, verb, server["name"]]
    # On standard input: the user data holds keys, and every process on this machine may read arguments.
    result = subprocess.run(
        command, input=json.dumps(description), capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    if result.returncode != 0:
        last = next((line for line in reversed(result.stderr.splitlines()) if line.strip()), "it wrote no error")
        raise RefusedError("server_error", f"the machine of server {server['name']} failed to {verb}: {last}")
