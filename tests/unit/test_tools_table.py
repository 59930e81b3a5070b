"""The table of programs: all URLs are complete, all files can be verified, and docs/tools.md agrees."""

import re
from pathlib import Path

import pytest

from tests.recipes import ROOT
from tools import cache, checksums, programs
from tools.errors import ToolsError
from tools.program import PLATFORMS, Platform, this_platform


def test_a_release_that_cannot_be_verified_is_not_used(checksum_records: Path) -> None:
    kwok = programs.by_name("kwok")
    assert cache.release_folder(kwok) is None
    checksum_records.write_text(f"{'1' * 64}  {kwok.assets(this_platform())[0].url}\n")
    assert cache.release_folder(kwok) is not None


@pytest.mark.parametrize("platform", PLATFORMS, ids=str)
def test_all_urls_of_the_table_are_complete(platform: Platform) -> None:
    assets = [asset for program in programs.PROGRAMS for asset in program.assets(platform)]
    assert len(assets) >= 8
    for asset in assets:
        assert asset.url.startswith("https://")
        assert not {"{", "}"} & set(asset.url + asset.checksums + "".join(asset.contents))
        assert ("" in asset.contents) == (not asset.url.endswith((".zip", ".tar.gz")))


def test_kubernetes_publishes_no_servers_for_macos() -> None:
    assert programs.by_name("kubernetes").assets(Platform(os="darwin", arch="arm64")) == ()


def test_an_invalid_line_of_the_recorded_checksums_is_reported(checksum_records: Path) -> None:
    checksum_records.write_text("abc  https://example.com/file\n")
    with pytest.raises(
        ToolsError, match=r"expected a SHA-256 and a URL in each line, not 'abc  https://example.com/file'"
    ):
        checksums.recorded_sha256("https://example.com/file")


ROW = re.compile(r"^\| `([\w-]+)` \| ([^|]+) \| ([^|]*) \|$", re.M)


def test_the_documentation_says_how_each_program_is_verified() -> None:
    platform = Platform(os="linux", arch="amd64")
    expected = {}
    for program in programs.PROGRAMS:
        assets = program.assets(platform)
        recorded = [checksums.recorded_sha256(asset.url) for asset in assets]
        downloaded = assets and all(sha256 or asset.checksums for sha256, asset in zip(recorded, assets, strict=True))
        pinned_in = "requirements.txt" if program.wheel else "go.sum"
        if program.npm_package:
            pinned_in += ", package-lock.json"
        expected[program.name] = ("releases.sha256" if all(recorded) else "vendor's list") if downloaded else pinned_in
    rows = ROW.findall((ROOT / "docs/tools.md").read_text())
    assert {name: verified_by for name, _, verified_by in rows} == expected
    assert {name for name, site, _ in rows if site == "built"} == {
        name for name, verified_by in expected.items() if verified_by == "go.sum"
    }
