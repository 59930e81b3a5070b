"""SHA-256 checksums of vendors' releases: those recorded in `releases.sha256`, and those in a vendor's list."""

import re
from pathlib import Path

from tools.errors import ToolsError
from tools.program import HERE

RECORDS = HERE / "releases.sha256"
_LINE = re.compile(r"([0-9a-f]{64})\s+\*?(\S+)")


def recorded_sha256(url: str) -> str | None:
    """The SHA-256 of a file in `releases.sha256`. The URL contains the version, so a new version has none yet."""
    return _read(RECORDS).get(url)


def listed_sha256(text: str, file: str) -> str | None:
    """The SHA-256 of a file in the text of a vendor's list. A list may also consist of one checksum only."""
    if re.fullmatch(r"[0-9a-f]{64}", text.strip()):
        return text.strip()
    return next((sha256 for sha256, name in _LINE.findall(text) if name.rsplit("/", 1)[-1] == file), None)


def _read(records: Path) -> dict[str, str]:
    lines = [line for line in records.read_text().splitlines() if line and not line.startswith("#")]
    if invalid := [line for line in lines if not _LINE.fullmatch(line)]:
        raise ToolsError(f"{records.name}: expected a SHA-256 and a URL in each line, not {invalid[0]!r}")
    return {url: sha256 for sha256, url in map(str.split, lines)}
