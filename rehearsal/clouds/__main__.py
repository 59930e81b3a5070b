"""`python -m rehearsal.clouds FOLDER`: the process that serves the simulated clouds and provider plugins of a world.

It listens on free ports of loopback and writes them into files of FOLDER (endpoints.py).
"""

from __future__ import annotations

import sys
from pathlib import Path

from infra.lazy_import import register_package


def main(folder: Path) -> None:
    """Serves until the process ends."""
    # The plugins need the messages of Pulumi's protocol and nothing else of the SDK, which takes longer to import than
    # the rest of this process.
    for package in ("pulumi", "pulumi.runtime"):
        register_package(package)
    # These import Pulumi's protocol, so they come after the lines above.
    from rehearsal.clouds import app, endpoints  # noqa: PLC0415
    from rehearsal.plugins.catalog import connector  # noqa: PLC0415
    from rehearsal.plugins.server import PluginServer  # noqa: PLC0415

    clouds = app.serve(folder)
    plugins = PluginServer(connector(endpoints.urls(clouds.port)))
    endpoints.write_port(endpoints.plugins_port_file(folder), plugins.port)
    # Last: whoever finds this file may use both.
    endpoints.write_port(endpoints.port_file(folder), clouds.port)
    plugins.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
