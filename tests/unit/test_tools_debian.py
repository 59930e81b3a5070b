"""Debian's packages are what was reviewed, or nothing; unpacked, they are a root file system and reach nowhere outside of it."""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.unit.site import Site, serving
from tools import debian
from tools.debian import Package, PackageSet
from tools.programs import BuildError

ONE = PackageSet(name="one", packages=("one",), users={"one": 999})
PATH = "debian/pool/main/o/one/one_1.0-1_all.deb"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("HONEYDUE_CACHE", str(folder))
    monkeypatch.setattr(debian, "HERE", tmp_path)
    monkeypatch.setattr(debian, "SETS", (ONE,))
    return folder


def archive(members: Iterable[tarfile.TarInfo], content: bytes = b"content") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:xz") as tar:
        for member in members:
            member.size = len(content) if member.isfile() else 0
            tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


def member(name: str, *, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, link, mode
    return made


def package(*members: tarfile.TarInfo) -> bytes:
    """A .deb: an `ar` archive of three files."""
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": archive([]), "data.tar.xz": archive(members)}
    made = b"!<arch>\n"
    for name, content in parts.items():
        made += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
            + content
            + b"\n" * (len(content) % 2)
        )
    return made


def lock(content: bytes) -> Package:
    pinned = Package(path=PATH, sha256=hashlib.sha256(content).hexdigest(), sha1="1" * 40)
    ONE.lock.write_text(f"# a comment\n{pinned}\n")
    return pinned


def at(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "ARCHIVE", site.url)
    monkeypatch.setattr(debian, "SNAPSHOT", f"{site.url}/file")


def root(content: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    lock(content)
    with serving({f"/{PATH}": content}) as site:
        at(site, monkeypatch)
        return debian.root("one")


def test_without_a_network_it_is_one_line(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock(b"")
    monkeypatch.setattr(debian, "ARCHIVE", "http://127.0.0.1:1")
    monkeypatch.setattr(debian, "SNAPSHOT", "http://127.0.0.1:1")
    with pytest.raises(BuildError, match=r"^one 1.0-1 could not be fetched, check the network \(.*\)$"):
        debian.root("one")
    assert [path.name for path in cache.iterdir()] == [".lock"]


def test_another_file_than_the_reviewed_one_is_not_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock(package(member("./usr/bin/one")))
    with serving({f"/{PATH}": package(member("./usr/bin/another"))}) as site:
        at(site, monkeypatch)
        with pytest.raises(BuildError, match="another file than the one that was reviewed"):
            debian.root("one")
    assert [path.name for path in cache.iterdir()] == [".lock"]


def test_a_version_that_the_archive_has_no_more_comes_from_the_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    content = package(member("./usr/bin/one"))
    pinned = lock(content)
    with serving({f"/file/{pinned.sha1}": content}) as site:
        at(site, monkeypatch)
        assert (debian.root("one") / "usr/bin/one").read_bytes() == b"content"
        assert site.asked == [f"/{PATH}", f"/file/{pinned.sha1}"]


def test_what_was_unpacked_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root(package(member("./usr/bin/one")), monkeypatch)
    monkeypatch.setattr(debian, "ARCHIVE", "http://127.0.0.1:1")
    assert debian.root("one") == folder


def test_another_lock_is_another_root(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root(package(member("./usr/bin/one")), monkeypatch)
    assert root(package(member("./usr/bin/two")), monkeypatch) != folder


def test_both_names_of_a_folder_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root(
        package(member("./bin/", kind=tarfile.DIRTYPE, mode=0o755), member("./bin/one"), member("./usr/bin/two")),
        monkeypatch,
    )
    assert os.readlink(folder / "bin") == "usr/bin"
    assert {path.name for path in (folder / "bin").iterdir()} == {"one", "two"}


def test_a_link_stays_within_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root(
        package(member("./usr/lib/one.so"), member("./lib/two.so", kind=tarfile.SYMTYPE, link="/usr/lib/one.so")),
        monkeypatch,
    )
    assert (folder / "lib/two.so").resolve() == folder / "usr/lib/one.so"


@pytest.mark.parametrize("outside", [member("../one"), member("./one", kind=tarfile.SYMTYPE, link="../../../one")])
def test_a_package_that_leads_out_of_the_root_is_refused(
    outside: tarfile.TarInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(tarfile.FilterError):
        root(package(outside), monkeypatch)


def test_nobody_becomes_root_by_a_file_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root(package(member("./bin/mount", mode=0o4755)), monkeypatch)
    assert (folder / "bin/mount").stat().st_mode & 0o7777 == 0o755


def test_it_is_settled_as_maintainer_scripts_would(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root(package(member("./usr/sbin/iptables-nft"), member("./usr/share/man/one")), monkeypatch)
    assert os.readlink(folder / "sbin/iptables") == "iptables-nft"
    assert not (folder / "bin/awk").is_symlink()
    assert not (folder / "usr/share/man/one").exists()
    assert (folder / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert "one:x:999:999:" in (folder / "etc/passwd").read_text()


def test_a_machine_that_cannot_run_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ONE.lock.write_text(f"{PATH.replace('_all', '_amd64')} {'0' * 64} {'0' * 40}\n")
    monkeypatch.setattr("tools.debian.platform.machine", lambda: "aarch64")
    with pytest.raises(BuildError, match="pinned for x86_64 machines, and this one is aarch64"):
        debian.root("one")


def test_every_lock_pins_every_package_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for chosen in debian.SETS:
        pinned = [one.title.split()[0] for one in debian.locked(chosen)]
        assert set(chosen.packages) <= set(pinned), chosen.name
        assert len(set(pinned)) == len(pinned), chosen.name
