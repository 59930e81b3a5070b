"""Vendors' release sites on loopback, as a mirror has them: each host's files in a folder of its name; and the archives that they hold."""

import io
import re
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass(kw_only=True)
class Vendor:
    """Its files and its troubles can be changed while it serves."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    """By URL, as the vendor has it."""
    cut: dict[str, int] = field(default_factory=dict)
    """After how many bytes the next answer breaks off, by URL."""
    stalled: dict[str, int] = field(default_factory=dict)
    """After how many bytes nothing comes any more, by URL."""
    ranges: bool = True
    """Whether it can begin in the middle of a file."""
    silent: bool = False
    """Whether it takes requests and never answers."""
    downloads: list[tuple[str, int]] = field(default_factory=list)
    """The file's name, and where the answer began. Probes, which ask for one byte, are left out."""
    released: threading.Event = field(default_factory=threading.Event)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        if self.silent:
            self.released.wait(10)
            return
        url = f"https:/{handler.path}"
        body = self.files.get(url)
        if body is None:
            handler.send_error(404)
            return
        start, end = self._range(handler, len(body))
        probed = end - start == 1
        if start >= len(body):
            handler.send_error(416)
            return
        handler.send_response(206 if "Range" in handler.headers and self.ranges else 200)
        handler.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(body)}")
        handler.send_header("Content-Length", str(end - start))
        handler.end_headers()
        if probed:
            handler.wfile.write(body[start:end])
            return
        self.downloads.append((url.rsplit("/", 1)[1], start))
        handler.wfile.write(body[start : min(end, start + self.cut.pop(url, self.stalled.get(url, len(body))))])
        if url in self.stalled:
            self.released.wait(10)

    def _range(self, handler: BaseHTTPRequestHandler, size: int) -> tuple[int, int]:
        asked = RANGE.fullmatch(handler.headers.get("Range", ""))
        if asked is None or not self.ranges:
            return 0, size
        return int(asked[1]), min(size, int(asked[2]) + 1) if asked[2] else size


@contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[Vendor]:
    """The sites, for as long as the context lasts."""
    vendor = Vendor(files=dict(files))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            vendor.answer(self)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        vendor.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield vendor
        vendor.released.set()
        server.shutdown()


def archive(url: str, contents: Mapping[str, bytes]) -> bytes:
    """A zip or tar.gz, as the URL says; a plain file has only the content of the path ""."""
    if "" in contents:
        return contents[""]
    file = io.BytesIO()
    if urlsplit(url).path.endswith(".zip"):
        with zipfile.ZipFile(file, "w") as zipped:
            for name, content in contents.items():
                zipped.writestr(name, content)
    else:
        with tarfile.open(fileobj=file, mode="w:gz") as tar:
            for name, content in contents.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return file.getvalue()
