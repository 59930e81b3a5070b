"""`python -m rehearsal.clouds NAME [engine-address]`: runs one simulated provider as a plugin process."""

from __future__ import annotations

import atexit
import gc
import sys

from infra.lazy_import import register_package

from .catalog import NAMES


def main(arguments: list[str]) -> int:
    """Runs the plugin that the arguments name, and returns the exit code."""
    if not arguments or arguments[0] not in NAMES:
        print(f"usage: python -m rehearsal.clouds {{{'|'.join(NAMES)}}} [engine-address]", file=sys.stderr)
        return 2
    # The garbage collector would otherwise scan all objects several times while the interpreter shuts down.
    atexit.register(gc.freeze)
    # A provider only needs the protobuf messages of Pulumi's SDK. Importing their parent packages takes longer than the
    # rest of the start, and four of these processes start with every engine.
    for package in ("pulumi", "pulumi.runtime"):
        register_package(package)
    from .server import serve  # noqa: PLC0415 - must come after register_package()

    try:
        serve(arguments[0])
    except LookupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
