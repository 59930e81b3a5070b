"""Debian packages match the pinned checksums or are refused. No path of a root file system points outside of it."""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.unit.site import Site, serve
from tools import debian
from tools.debian import Package, PackageSet
from tools.errors import ToolsError

EXAMPLE = PackageSet(name="hello", packages=("hello",), users={"hello": 999})
PATH = "debian/pool/main/h/hello/hello_1.0-1_all.deb"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("HONEYDUE_CACHE", str(folder))
    monkeypatch.setattr(debian, "HERE", tmp_path)
    monkeypatch.setattr(debian, "PACKAGE_SETS", (EXAMPLE,))
    return folder


def archive(members: Iterable[tarfile.TarInfo], content: bytes = b"content") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:xz") as tar:
        for member in members:
            member.size = len(content) if member.isfile() else 0
            tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


def member(name: str, *, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def package(*members: tarfile.TarInfo) -> bytes:
    """The content of a .deb file: an `ar` archive of three files."""
    files = {"debian-binary": b"2.0\n", "control.tar.xz": archive([]), "data.tar.xz": archive(members)}
    deb = b"!<arch>\n"
    for name, content in files.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n"
        deb += header.encode() + content + b"\n" * (len(content) % 2)
    return deb


def write_lock(content: bytes) -> Package:
    pinned = Package(path=PATH, sha256=hashlib.sha256(content).hexdigest(), sha1="1" * 40)
    EXAMPLE.lock.write_text(f"# a comment\n{pinned}\n")
    return pinned


def use(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the site Debian's archive and its snapshots."""
    monkeypatch.setattr(debian, "ARCHIVE", site.url)
    monkeypatch.setattr(debian, "SNAPSHOT", f"{site.url}/file")


def unpacked(content: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root file system of a package with this content."""
    write_lock(content)
    with serve({f"/{PATH}": content}) as site:
        use(site, monkeypatch)
        return debian.root_filesystem("hello")


def test_a_missing_network_is_reported_in_one_line(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_lock(b"")
    monkeypatch.setattr(debian, "ARCHIVE", "http://127.0.0.1:1")
    monkeypatch.setattr(debian, "SNAPSHOT", "http://127.0.0.1:1")
    with pytest.raises(ToolsError, match=r"^cannot download hello 1.0-1: check the network \(.*\)$"):
        debian.root_filesystem("hello")
    assert [path.name for path in cache.iterdir()] == [".lock"]


def test_a_package_with_another_checksum_is_not_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_lock(package(member("./usr/bin/hello")))
    with serve({f"/{PATH}": package(member("./usr/bin/another"))}) as site:
        use(site, monkeypatch)
        with pytest.raises(ToolsError, match="its SHA-256 differs from the pinned one"):
            debian.root_filesystem("hello")
    assert [path.name for path in cache.iterdir()] == [".lock"]


def test_a_version_that_the_archive_has_removed_comes_from_the_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    content = package(member("./usr/bin/hello"))
    pinned = write_lock(content)
    with serve({f"/file/{pinned.sha1}": content}) as site:
        use(site, monkeypatch)
        assert (debian.root_filesystem("hello") / "usr/bin/hello").read_bytes() == b"content"
        assert site.requests == [f"/{PATH}", f"/file/{pinned.sha1}"]


def test_an_unpacked_root_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = unpacked(package(member("./usr/bin/hello")), monkeypatch)
    monkeypatch.setattr(debian, "ARCHIVE", "http://127.0.0.1:1")
    assert debian.root_filesystem("hello") == folder


def test_a_changed_lock_file_makes_another_root(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = unpacked(package(member("./usr/bin/hello")), monkeypatch)
    assert unpacked(package(member("./usr/bin/goodbye")), monkeypatch) != folder


def test_bin_and_usr_bin_are_the_same_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = unpacked(
        package(member("./bin/", kind=tarfile.DIRTYPE, mode=0o755), member("./bin/hello"), member("./usr/bin/goodbye")),
        monkeypatch,
    )
    assert os.readlink(folder / "bin") == "usr/bin"
    assert {path.name for path in (folder / "bin").iterdir()} == {"hello", "goodbye"}


def test_an_absolute_link_points_into_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = unpacked(
        package(
            member("./usr/lib/hello.so"), member("./lib/goodbye.so", kind=tarfile.SYMTYPE, link="/usr/lib/hello.so")
        ),
        monkeypatch,
    )
    assert (folder / "lib/goodbye.so").resolve() == folder / "usr/lib/hello.so"


@pytest.mark.parametrize(
    "outside", [member("../hello"), member("./hello", kind=tarfile.SYMTYPE, link="../../../hello")]
)
def test_a_package_with_a_path_outside_of_the_root_is_refused(
    outside: tarfile.TarInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(tarfile.FilterError):
        unpacked(package(outside), monkeypatch)


def test_setuid_bits_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = unpacked(package(member("./bin/mount", mode=0o4755)), monkeypatch)
    assert (folder / "bin/mount").stat().st_mode & 0o7777 == 0o755


def test_the_work_of_maintainer_scripts_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = unpacked(package(member("./usr/sbin/iptables-nft"), member("./usr/share/man/hello")), monkeypatch)
    assert os.readlink(folder / "sbin/iptables") == "iptables-nft"
    assert not (folder / "bin/awk").is_symlink()
    assert not (folder / "usr/share/man/hello").exists()
    assert (folder / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert "hello:x:999:999:" in (folder / "etc/passwd").read_text()


def test_an_unsupported_architecture_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    EXAMPLE.lock.write_text(f"{PATH.replace('_all', '_amd64')} {'0' * 64} {'0' * 40}\n")
    monkeypatch.setattr("tools.debian.platform.machine", lambda: "aarch64")
    with pytest.raises(ToolsError, match="pinned for x86_64, but this machine is aarch64"):
        debian.root_filesystem("hello")


def test_each_lock_file_pins_all_packages_of_its_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for package_set in debian.PACKAGE_SETS:
        pinned = [package.title.split()[0] for package in debian.locked_packages(package_set)]
        assert set(package_set.packages) <= set(pinned), package_set.name
        assert len(set(pinned)) == len(pinned), package_set.name
