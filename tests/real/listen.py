"""Answers on ports wherever it runs, until it is killed: `ADDRESS PORT/tcp PORT/udp …`; a port that is taken answers already."""

import asyncio
import errno
import sys
from collections.abc import Awaitable


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert isinstance(self._transport, asyncio.DatagramTransport)
        self._transport.sendto(data, addr)


async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def unless_taken(listening: Awaitable[object]) -> None:
    try:
        await listening
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise


async def main(address: str, *ports: str) -> None:
    loop = asyncio.get_running_loop()
    for port, protocol in (one.split("/") for one in ports):
        if protocol == "tcp":
            await unless_taken(asyncio.start_server(accept, address, int(port)))
        else:
            await unless_taken(loop.create_datagram_endpoint(Echo, local_addr=(address, int(port))))
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
