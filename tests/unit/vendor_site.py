"""A mirror of vendors' release sites on loopback, with one folder per host, and the archives that it serves."""

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
class VendorSite:
    """A running mirror. Its files and faults can be changed at any time. URLs are those of the vendors."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    """By URL."""
    truncate_once: dict[str, int] = field(default_factory=dict)
    """Bytes after which the next response ends early, by URL."""
    stall: dict[str, int] = field(default_factory=dict)
    """Bytes after which each response stops, by URL."""
    supports_ranges: bool = True
    """Whether a response can start in the middle of a file."""
    silent: bool = False
    """Whether requests are accepted but never answered."""
    downloads: list[tuple[str, int]] = field(default_factory=list)
    """Name of the file and first byte of each response. Probes, which request one byte, are left out."""
    stopping: threading.Event = field(default_factory=threading.Event)

    def respond(self, handler: BaseHTTPRequestHandler) -> None:
        if self.silent:
            self.stopping.wait(10)
            return
        url = f"https:/{handler.path}"
        body = self.files.get(url)
        if body is None:
            handler.send_error(404)
            return
        start, end = self._range(handler, len(body))
        is_probe = end - start == 1
        if start >= len(body):
            handler.send_error(416)
            return
        handler.send_response(206 if "Range" in handler.headers and self.supports_ranges else 200)
        handler.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(body)}")
        handler.send_header("Content-Length", str(end - start))
        handler.end_headers()
        if is_probe:
            handler.wfile.write(body[start:end])
            return
        self.downloads.append((url.rsplit("/", 1)[1], start))
        length = self.truncate_once.pop(url, self.stall.get(url, len(body)))
        handler.wfile.write(body[start : min(end, start + length)])
        if url in self.stall:
            self.stopping.wait(10)

    def _range(self, handler: BaseHTTPRequestHandler, size: int) -> tuple[int, int]:
        match = RANGE.fullmatch(handler.headers.get("Range", ""))
        if match is None or not self.supports_ranges:
            return 0, size
        return int(match[1]), min(size, int(match[2]) + 1) if match[2] else size


@contextmanager
def serve(files: Mapping[str, bytes]) -> Iterator[VendorSite]:
    """Runs the mirror until the context ends."""
    site = VendorSite(files=dict(files))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.respond(self)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield site
        site.stopping.set()
        server.shutdown()


def archive(url: str, contents: Mapping[str, bytes]) -> bytes:
    """A zip or tar.gz file, by the URL's extension. A plain file has only the path "" in its contents."""
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
