"""Copies files out of Go modules without a Go compiler: the module proxy serves each module as a zip, and `go.sum` pins its contents.

The proxy's protocol and the hash are documented at https://go.dev/ref/mod#goproxy-protocol and golang.org/x/mod/sumdb/dirhash.
"""

import base64
import hashlib
import os
import re
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from tools import download
from tools.program import BuildError, Program

DEFAULT_PROXY = "https://proxy.golang.org"


def proxy() -> str:
    """The first proxy that GOPROXY names; a BuildError where it names none that speaks HTTP."""
    listed = os.environ.get("GOPROXY") or DEFAULT_PROXY
    found = next((one for one in re.split(r"[,|]", listed) if urlsplit(one).scheme in {"http", "https"}), None)
    if found is None:
        raise BuildError(
            f"GOPROXY is {listed!r}: without a Go compiler, modules come from a proxy of http:// or https://; unset it, or install Go"
        )
    return found.rstrip("/")


def install(program: Program, folder: Path, advance: Callable[[str, int], None]) -> None:
    """Makes the folder of a program that only consists of copies; a BuildError where a module is not what `go.sum` says."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as scratch:
        product = Path(scratch, "product")
        product.mkdir()
        for module, path in program.copies:
            _copy(program, module, path, product, advance)
        os.rename(product, folder)


def _copy(program: Program, module: str, path: str, product: Path, advance: Callable[[str, int], None]) -> None:
    version = program.required(module)
    # As the proxy's protocol has it: its files may stand where upper and lower case are the same.
    escaped = re.sub(r"[A-Z]", lambda letter: f"!{letter[0].lower()}", f"{module}/@v/{version}")
    url = f"{proxy()}/{escaped}.zip"
    archive = product.with_name("module.zip")
    download.fetch(url, archive, lambda there: advance(url, there))
    with zipfile.ZipFile(archive) as files:
        expected, actual = _pinned(program, module, version), directory_hash(files)
        if actual != expected:
            raise BuildError(
                f"{program.name} is refused: {download.shown(url)} has the hash {actual}, and tools/{program.name}/go.sum says {expected}; "
                "run it again in case the download was damaged"
            )
        root = PurePosixPath(f"{module}@{version}", path)
        # The path is a file, or a folder whose files are meant.
        for name in files.namelist():
            if root in {PurePosixPath(name), PurePosixPath(name).parent}:
                (product / PurePosixPath(name).name).write_bytes(files.read(name))
    archive.unlink()


def _pinned(program: Program, module: str, version: str) -> str:
    sums = (program.folder / "go.sum").read_text()
    pinned = re.search(rf"^{re.escape(module)} {re.escape(version)} (h1:\S+)$", sums, re.M)
    if pinned is None:
        raise BuildError(
            f"tools/{program.name}/go.sum has no hash of {module} {version}: run `go mod tidy` in tools/{program.name}"
        )
    return pinned[1]


def directory_hash(files: zipfile.ZipFile) -> str:
    """The hash that `go.sum` has of a module's files: of the list of their SHA-256, sorted by their names."""
    summary = hashlib.sha256()
    for name in sorted(files.namelist()):
        summary.update(f"{hashlib.sha256(files.read(name)).hexdigest()}  {name}\n".encode())
    return f"h1:{base64.b64encode(summary.digest()).decode()}"
