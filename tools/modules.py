"""Copies files out of Go modules without a Go compiler: a module proxy serves zip files, `go.sum` pins their hashes.

Protocol: https://go.dev/ref/mod#goproxy-protocol. Hash: golang.org/x/mod/sumdb/dirhash.
"""

import base64
import hashlib
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from tools import download
from tools.errors import ToolsError
from tools.program import Program
from tools.staging import staging_folder

DEFAULT_PROXY = "https://proxy.golang.org"


def proxy_url() -> str:
    """The first HTTP proxy in GOPROXY. Raises ToolsError if there is none."""
    goproxy = os.environ.get("GOPROXY") or DEFAULT_PROXY
    url = next((entry for entry in re.split(r"[,|]", goproxy) if urlsplit(entry).scheme in {"http", "https"}), None)
    if url is None:
        raise ToolsError(
            f"GOPROXY is {goproxy!r}: without a Go compiler, it must contain an http:// or https:// URL; "
            "unset it, or install Go"
        )
    return url.rstrip("/")


def install(program: Program, folder: Path, on_progress: Callable[[str, int], None]) -> None:
    """Creates the folder of a program that consists of copied files only.

    Calls `on_progress` with a URL and the bytes downloaded so far. Raises ToolsError, also if a module's hash differs
    from `go.sum`.
    """
    with staging_folder(folder) as staging:
        for module, path in program.copies:
            _copy_files(program, module, path, staging, on_progress)


def _copy_files(
    program: Program, module: str, path: str, folder: Path, on_progress: Callable[[str, int], None]
) -> None:
    version = program.module_version(module)
    # The protocol escapes upper-case letters, for file systems that ignore case.
    escaped = re.sub(r"[A-Z]", lambda letter: f"!{letter[0].lower()}", f"{module}/@v/{version}")
    url = f"{proxy_url()}/{escaped}.zip"
    archive = folder.with_name("module.zip")
    download.fetch(url, archive, lambda size: on_progress(url, size))
    with zipfile.ZipFile(archive) as files:
        expected, actual = go_sum_hash(program, module, version), directory_hash(files)
        if actual != expected:
            raise ToolsError(
                f"{program.name} is refused: {download.printable_url(url)} has the hash {actual}, but "
                f"tools/{program.name}/go.sum pins {expected}; run the same command again in case the download was "
                "damaged"
            )
        root = PurePosixPath(f"{module}@{version}", path)
        # `path` is a file, or a folder whose files are copied without its subfolders.
        for name in files.namelist():
            if root in {PurePosixPath(name), PurePosixPath(name).parent}:
                (folder / PurePosixPath(name).name).write_bytes(files.read(name))
    archive.unlink()


def go_sum_hash(program: Program, module: str, version: str) -> str:
    """The hash of a module's files in `go.sum`. Raises ToolsError if there is none."""
    sums = (program.folder / "go.sum").read_text()
    entry = re.search(rf"^{re.escape(module)} {re.escape(version)} (h1:\S+)$", sums, re.M)
    if entry is None:
        raise ToolsError(
            f"tools/{program.name}/go.sum has no hash of {module} {version}: run `go mod tidy` in tools/{program.name}"
        )
    return entry[1]


def directory_hash(files: zipfile.ZipFile) -> str:
    """Go's hash "h1" of a module: the SHA-256 of the list of its files' SHA-256, sorted by name."""
    summary = hashlib.sha256()
    for name in sorted(files.namelist()):
        summary.update(f"{hashlib.sha256(files.read(name)).hexdigest()}  {name}\n".encode())
    return f"h1:{base64.b64encode(summary.digest()).decode()}"
