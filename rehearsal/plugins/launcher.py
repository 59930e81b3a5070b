"""What the engine starts as a provider plugin: it prints the port of a provider that the world's server serves for it.

Run as a script with Python's isolated mode and without site-packages, because it starts four times in every engine run:
`launcher.py PORT_FILE PROVIDER [engine-address]`.
"""

import os
import select
import socket
import sys

PARENT_CHECK_SECONDS = 1.0


def main(port_file: str, provider: str) -> int:
    """Prints the port and waits until the engine ends this process, or has ended itself."""
    try:
        with open(port_file, encoding="ascii") as file:
            server = socket.create_connection(("127.0.0.1", int(file.read())))
    except (OSError, ValueError):
        print(f"the simulated provider {provider} is not served: the world is down", file=sys.stderr)
        return 1
    parent = os.getppid()
    with server, server.makefile("rw", encoding="utf-8") as stream:
        stream.write(f"{provider}\n")
        stream.flush()
        answer = stream.readline().strip()
        if not answer.isdigit():
            print(answer or f"the simulated provider {provider} ended", file=sys.stderr)
            return 1
        # The handshake of every Pulumi plugin: the first line on standard output is the port.
        print(answer, flush=True)
        # A killed engine cannot end its plugins, so a launcher exits when its parent process has ended.
        while not select.select([server], [], [], PARENT_CHECK_SECONDS)[0] and os.getppid() == parent:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
