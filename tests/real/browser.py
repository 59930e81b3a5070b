"""Headless Chromium, driven with its DevTools protocol (https://chromedevtools.github.io/devtools-protocol/).

Chromium comes from the operating system: it is not installed with the programs of rehearsals, because its packages are
larger than all of them.
"""

import base64
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import requests
import websocket
from PIL import Image

from rehearsal.errors import RehearsalError
from tests.retry import eventually

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    # Chromium refuses to run as root with its sandbox. It only opens the page of a rehearsal.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    # A free port, which Chromium writes to a file of its folder.
    "--remote-debugging-port=0",
)
PORT_FILE = "DevToolsActivePort"
COLORS = 128
START_SECONDS, REQUEST_SECONDS = 60, 60


class Page:
    """An open page of the browser."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection
        self._last = 0

    def open(self, url: str) -> None:
        """Opens an address, and returns when its document is loaded."""
        self._call("Page.navigate", url=url)
        self.wait_until("document.readyState == 'complete'", seconds=REQUEST_SECONDS)

    def resize(self, width: int, height: int, *, scale: float = 1) -> None:
        """Changes the size of the window. A screenshot has `scale` pixels for each of its pixels."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        result = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        return result["result"].get("value")

    def wait_until(self, script: str, *, seconds: float) -> None:
        """Returns when the expression is true. Otherwise raises an AssertionError."""

        def is_true() -> None:
            assert self.evaluate(script), script

        eventually(is_true, seconds=seconds)

    def screenshot(self, file: Path) -> None:
        """Writes a PNG of the window, with a palette: it has a third of the size."""
        file.parent.mkdir(parents=True, exist_ok=True)
        content = base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])
        with Image.open(BytesIO(content)) as image:
            image.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(file, optimize=True)

    def _call(self, method: str, **parameters: object) -> Mapping[str, Any]:
        self._last += 1
        self._connection.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._connection.recv())
            # Events have no id.
            if message.get("id") == self._last:
                if "error" in message:
                    raise RehearsalError(f"Chromium refuses {method}: {message['error']['message']}")
                result: Mapping[str, Any] = message["result"]
                return result


@contextmanager
def page() -> Iterator[Page]:
    """A page in a new Chromium, which runs until the context ends."""
    with tempfile.TemporaryDirectory(prefix="honeydue-chromium-") as folder:
        command = [_executable(), *FLAGS, f"--user-data-dir={folder}", "about:blank"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                connection = websocket.create_connection(
                    _page_url(Path(folder)), timeout=REQUEST_SECONDS, suppress_origin=True
                )
                yield Page(connection)
                connection.close()
            finally:
                process.terminate()


def _executable() -> str:
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise RehearsalError("Chromium is not installed: apt-get install chromium")


def _page_url(folder: Path) -> str:
    """The address of the protocol for the first page, when Chromium has opened it."""

    def page_url() -> str:
        port = (folder / PORT_FILE).read_text().splitlines()[0]
        with requests.Session() as session:
            session.trust_env = False
            targets = session.get(f"http://127.0.0.1:{port}/json", timeout=REQUEST_SECONDS).json()
        return next(str(target["webSocketDebuggerUrl"]) for target in targets if target["type"] == "page")

    return eventually(page_url, seconds=START_SECONDS)
