"""A stack with its state in a bucket, as in production: the real engine, a real object store, two secrets."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rehearsal.layout import Layout
from rehearsal.loopback import LOOPBACK

BUCKET = "honeydue-state"
REGION = "us-east-005"
KEY_ID = "key-of-the-state"
KEY = "secret-key-of-the-state"

PROGRAM = """
import pathlib, time
import pulumi, pulumi_random

password = pulumi_random.RandomPassword("password", length=32)
pulumi.export("password", password.result)
pulumi.export("word", pulumi.Config().require_secret("word"))
# An `up` waits for the file, so that a test decides when it ends.
while not pulumi.runtime.is_dry_run() and not pathlib.Path("open").exists():
    time.sleep(0.05)
"""


def project(folder: Path) -> Path:
    """Creates the project. Its `up` waits until the folder contains a file named `open`."""
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: bucket\nruntime: python\n")
    (folder / "__main__.py").write_text(PROGRAM)
    return folder


def environment(layout: Layout, endpoint: str) -> Mapping[str, str]:
    """The environment variables that docs/ci.md lists, with the address of the store."""
    url = f"s3://{BUCKET}?endpoint={endpoint}&region={REGION}&s3ForcePathStyle=true"
    return {
        "PULUMI_BACKEND_URL": url,
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "PULUMI_CONFIG_PASSPHRASE": "passphrase-of-the-state",
        # The certificate of the store is signed by the CA of the world.
        "AWS_CA_BUNDLE": str(layout.external_ca),
    }


@contextmanager
def recording_store() -> Iterator[tuple[str, list[Mapping[str, str]]]]:
    """A store that discards every object. Yields its address, and the headers of each write request."""
    writes: list[Mapping[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            listing = "list-type" in self.path
            self._answer(200, b"<ListBucketResult/>") if listing else self._answer(
                404, b"<Error><Code>NoSuchKey</Code></Error>"
            )

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            writes.append({name.lower(): value for name, value in self.headers.items()})
            self._answer(200, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://{LOOPBACK}:{server.server_port}", writes
        server.shutdown()
