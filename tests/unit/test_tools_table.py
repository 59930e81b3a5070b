"""The table of programs: every address is complete, every file can be verified, and docs/tools.md says the same."""

import re
from pathlib import Path

import pytest

from tests.recipes import ROOT
from tools import checksums, programs
from tools.program import PLATFORMS, BuildError, Platform, this_platform


def test_a_program_whose_release_nobody_can_verify_is_built(records: Path) -> None:
    kwok = programs.named("kwok")
    assert programs.release_folder(kwok) is None
    records.write_text(f"{'1' * 64}  {kwok.assets(this_platform())[0].url}\n")
    assert programs.release_folder(kwok) is not None


@pytest.mark.parametrize("where", PLATFORMS, ids=str)
def test_every_address_of_the_table_is_complete(where: Platform) -> None:
    files = [one for each in programs.PROGRAMS for one in each.assets(where)]
    assert len(files) >= 8
    for one in files:
        assert one.url.startswith("https://")
        assert not {"{", "}"} & set(one.url + one.checksums + "".join(one.contents))
        assert ("" in one.contents) == (not one.url.endswith((".zip", ".tar.gz")))


def test_kubernetes_publishes_no_servers_for_macos() -> None:
    assert programs.named("kubernetes").assets(Platform(os="darwin", arch="arm64")) == ()


def test_a_line_of_the_records_that_is_none_is_named(records: Path) -> None:
    records.write_text("abc  https://example.com/file\n")
    with pytest.raises(
        BuildError, match=r"expected a SHA-256 and a URL in each line, not 'abc  https://example.com/file'"
    ):
        checksums.recorded("https://example.com/file")


ROW = re.compile(r"^\| `([\w-]+)` \| ([^|]+) \| ([^|]*) \|$", re.M)


def test_the_page_says_how_each_program_is_verified() -> None:
    here = Platform(os="linux", arch="amd64")
    expected = {}
    for one in programs.PROGRAMS:
        files = one.assets(here)
        sums = [checksums.recorded(file.url) for file in files]
        fetched = files and all(known or file.checksums for known, file in zip(sums, files, strict=True))
        kept = "requirements.txt" if one.wheel else "go.sum"
        expected[one.name] = ("releases.sha256" if all(sums) else "vendor's list") if fetched else kept
    rows = ROW.findall((ROOT / "docs/tools.md").read_text())
    assert {name: verified for name, _, verified in rows} == expected
    assert {name for name, site, _ in rows if site == "built"} == {
        name for name, verified in expected.items() if verified == "go.sum"
    }
