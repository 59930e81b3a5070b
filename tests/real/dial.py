"""Tries connections from wherever it runs: a list of them on its input, whether each was answered on its output.

Run with `nsenter` in the network of a pod or of a node, by a Python that knows nothing of pods.
"""

import asyncio
import json
import socket
import sys
from contextlib import suppress
from typing import NamedTuple

AT_ONCE = 200
SECONDS = 3.0
"""A policy refuses at once; an address that nobody has is silent."""
QUESTION = bytes.fromhex("1234 0100 0001 0000 0000 0000 07") + b"default" + bytes.fromhex("00 0001 0001")
"""A question to a name server, which answers it; an echo sends it back."""


class Connection(NamedTuple):
    source: str | None
    address: str
    port: int
    protocol: str


async def answered(one: Connection, turns: asyncio.Semaphore) -> bool:
    async with turns:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(SECONDS):
                return await (_tcp(one) if one.protocol == "TCP" else _udp(one))
        return False


async def _tcp(one: Connection) -> bool:
    _, writer = await asyncio.open_connection(one.address, one.port, local_addr=(one.source, 0) if one.source else None)
    writer.close()
    return True


async def _udp(one: Connection) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.bind((one.source or "", 0))
        sender.connect((one.address, one.port))
        await asyncio.get_running_loop().sock_sendall(sender, QUESTION)
        return bool(await asyncio.get_running_loop().sock_recv(sender, 512))


async def main() -> None:
    turns = asyncio.Semaphore(AT_ONCE)
    found = await asyncio.gather(*(answered(Connection(*one), turns) for one in json.load(sys.stdin)))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
