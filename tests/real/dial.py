"""Tries connections and prints whether each one was answered.

Reads a JSON list of connections from stdin and writes a JSON list of booleans to stdout. Runs under `nsenter` in the
network namespace of a pod or a node, with the Python of the host.
"""

import asyncio
import json
import socket
import sys
from contextlib import suppress
from typing import NamedTuple

CONCURRENCY = 200
TIMEOUT_SECONDS = 3.0
"""A policy rejects a packet at once, but an unassigned address never answers."""
DNS_QUERY = bytes.fromhex("1234 0100 0001 0000 0000 0000 07") + b"default" + bytes.fromhex("00 0001 0001")
"""A name server answers this query, and the UDP echo of listen.py returns it."""


class Connection(NamedTuple):
    source: str | None
    address: str
    port: int
    protocol: str


async def is_answered(connection: Connection, limit: asyncio.Semaphore) -> bool:
    async with limit:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await (_tcp(connection) if connection.protocol == "TCP" else _udp(connection))
        return False


async def _tcp(connection: Connection) -> bool:
    local_address = (connection.source, 0) if connection.source else None
    _, writer = await asyncio.open_connection(connection.address, connection.port, local_addr=local_address)
    writer.close()
    return True


async def _udp(connection: Connection) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.bind((connection.source or "", 0))
        client.connect((connection.address, connection.port))
        await asyncio.get_running_loop().sock_sendall(client, DNS_QUERY)
        return bool(await asyncio.get_running_loop().sock_recv(client, 512))


async def main() -> None:
    limit = asyncio.Semaphore(CONCURRENCY)
    connections = [Connection(*fields) for fields in json.load(sys.stdin)]
    results = await asyncio.gather(*(is_answered(connection, limit) for connection in connections))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
