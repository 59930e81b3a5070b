"""The checksums of vendors' releases that are recorded beside this file, in `releases.sha256`."""

import re
from pathlib import Path

from tools.program import HERE, BuildError

RECORDS = HERE / "releases.sha256"
_LINE = re.compile(r"([0-9a-f]{64})\s+\*?(\S+)")


def recorded(url: str) -> str | None:
    """The SHA-256 that `releases.sha256` has for that very file; it names the version, so that a raised pin has none yet."""
    return _read(RECORDS).get(url)


def listed(text: str, file: str) -> str | None:
    """The SHA-256 of a file in a vendor's list, or the only one that the list holds."""
    if re.fullmatch(r"[0-9a-f]{64}", text.strip()):
        return text.strip()
    return next((digest for digest, name in _LINE.findall(text) if name.rsplit("/", 1)[-1] == file), None)


def _read(records: Path) -> dict[str, str]:
    lines = [line for line in records.read_text().splitlines() if line and not line.startswith("#")]
    if wrong := [line for line in lines if not _LINE.fullmatch(line)]:
        raise BuildError(f"{records.name}: expected a SHA-256 and a URL in each line, not {wrong[0]!r}")
    return {url: digest for digest, url in map(str.split, lines)}
