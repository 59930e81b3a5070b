"""Listens on ports in the current network namespace until it is killed: `ADDRESS PORT/tcp PORT/udp …`.

A port that is already in use is skipped: the app that listens there answers.
"""

import asyncio
import errno
import sys
from collections.abc import Awaitable
from typing import cast


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's UDP transport does not inherit from DatagramTransport, so isinstance cannot narrow the type.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(data, addr)


async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def unless_in_use(listening: Awaitable[object]) -> None:
    try:
        await listening
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise


async def main(address: str, *ports: str) -> None:
    loop = asyncio.get_running_loop()
    for port, protocol in (argument.split("/") for argument in ports):
        if protocol == "tcp":
            await unless_in_use(asyncio.start_server(accept, address, int(port)))
        else:
            await unless_in_use(loop.create_datagram_endpoint(Echo, local_addr=(address, int(port))))
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
