"""`python -m rehearsal.clouds NAME [engine-address]`: one simulated provider as a plugin process."""

from __future__ import annotations

import atexit
import gc
import sys

from infra.lazy_import import register_package

from .catalog import NAMES


def main(arguments: list[str]) -> int:
    """Run the plugin that the arguments name."""
    if not arguments or arguments[0] not in NAMES:
        print(f"usage: python -m rehearsal.clouds {{{'|'.join(NAMES)}}} [engine-address]", file=sys.stderr)
        return 2
    # Without it, Python's garbage collector looks through all objects again and again while the process ends.
    atexit.register(gc.freeze)
    # A provider needs the messages of Pulumi's protocol and nothing else of the SDK, whose two packages above them take more time
    # to import than all the rest of this process. Four of these processes start with every engine.
    for package in ("pulumi", "pulumi.runtime"):
        register_package(package)
    from .server import serve  # noqa: PLC0415 - an import at the top would come before the two lines above

    try:
        serve(arguments[0])
    except LookupError as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
