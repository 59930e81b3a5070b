"""Vendors' releases, served on loopback under the vendors' own paths: what is verified is used, anything else is refused."""

import errno
import hashlib
import io
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from tests.unit.stubs import alone_on_path, stand_in
from tests.unit.vendor import Vendor, archive, serving
from tools import build, download, programs
from tools.program import Asset, BuildError, Program, this_platform

ETCD, KUBERNETES, PULUMI, PYTHON = map(programs.named, ("etcd", "kubernetes", "pulumi", "pulumi-language-python"))
CONTENT = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(100))
"""Which no archive makes smaller."""


@pytest.fixture
def vendor(tmp_path: Path, records: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    """All vendors, an empty cache, and no Go at all."""
    monkeypatch.setenv("HONEYDUE_CACHE", str(tmp_path / "cache"))
    alone_on_path(monkeypatch, tmp_path)
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0.0)
    # A busy machine is no site that is out of reach.
    monkeypatch.setattr(download, "PROBE_SECONDS", 30.0)
    # What of a block arrived before a cut is lost.
    monkeypatch.setattr(download, "BLOCK", 100)
    assert records.read_text() == "# none\n"
    with serving({}) as site:
        monkeypatch.setenv("HONEYDUE_RELEASE_MIRROR", site.url)
        yield site


def asset(one: Program) -> Asset:
    """The first file of its release for this machine."""
    return one.assets(this_platform())[0]


def publish(vendor: Vendor, *released: Program) -> None:
    """All files of these programs' releases, and the vendors' lists of their checksums."""
    for one in released:
        for file in one.assets(this_platform()):
            name = file.url.rsplit("/", 1)[1]
            # Every path holds its own name; the first one so much that its download can be cut.
            contents = {path: f"{path} of {name} ".encode() + CONTENT for path in file.contents}
            # The archive of the CLI is that of two programs.
            if file.url not in vendor.files:
                vendor.files[file.url] = archive(
                    file.url, {**contents, **({} if "" in contents else {"LICENSE": b"theirs"})}
                )
            digest = hashlib.sha256(vendor.files[file.url]).hexdigest()
            vendor.files[file.checksums] = f"{'0' * 64}  another\n{digest}  {name}\n".encode()


def bring(*chosen: Program) -> str:
    """What is said while they are brought."""
    words = io.StringIO()
    build.build_missing(Console(file=words, width=300), chosen)
    return words.getvalue()


def refusal(*chosen: Program) -> str:
    with pytest.raises(BuildError) as error:
        bring(*chosen)
    assert "\n" not in str(error.value)
    assert not any(programs.installed(one).exists() for one in chosen)
    return str(error.value)


def with_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for Go whose every build makes one empty binary."""
    script = """
    case "$1" in
    env) echo go1.26.0 ;;
    list) echo "main example.com/server" ;;
    build) while [ "$1" != -o ]; do shift; done; touch "$2/server" ;;
    esac
    """
    stand_in(tmp_path / "bin", "go", script)
    alone_on_path(monkeypatch, tmp_path / "bin")


def test_a_release_is_unpacked_without_go(vendor: Vendor) -> None:
    publish(vendor, ETCD)
    said = bring(ETCD)
    folder = programs.installed(ETCD)
    assert {file.name for file in folder.iterdir()} == {"etcd", "etcdctl", "etcdutl"}
    assert (folder / "etcdctl").read_bytes().startswith(f"etcd-{ETCD.tag}-".encode())
    assert all(file.stat().st_mode & stat.S_IXUSR for file in folder.iterdir())
    assert "1 as their vendors' releases" in said
    assert bring(ETCD) == ""


def test_nothing_of_a_download_is_kept_beside_the_program(vendor: Vendor, tmp_path: Path) -> None:
    publish(vendor, ETCD)
    bring(ETCD)
    assert {one.name for one in (tmp_path / "cache").iterdir()} == {".lock", programs.installed(ETCD).name}


def test_plain_files_are_verified_by_the_checksum_beside_each(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.program.platform.system", lambda: "Linux")
    publish(vendor, KUBERNETES)
    for file in KUBERNETES.assets(this_platform()):
        # As dl.k8s.io has it: nothing but the number.
        vendor.files[file.checksums] = hashlib.sha256(vendor.files[file.url]).hexdigest().encode()
    bring(KUBERNETES)
    assert (programs.installed(KUBERNETES) / "kube-scheduler").read_bytes().startswith(b" of kube-scheduler")


def test_what_two_programs_share_is_downloaded_once(vendor: Vendor) -> None:
    url = asset(PULUMI).url
    names = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec")
    vendor.files[url] = archive(url, {f"pulumi/{name}": name.encode() for name in names})
    publish(vendor, PULUMI, PYTHON)
    bring(PULUMI, PYTHON)
    assert [name for name, _ in vendor.downloads if name.endswith(".tar.gz")] == [url.rsplit("/", 1)[1]]
    assert (programs.installed(PYTHON) / "pulumi-language-python-exec").read_text() == "pulumi-language-python-exec"


def test_a_recorded_checksum_goes_before_the_vendors(vendor: Vendor, records: Path) -> None:
    publish(vendor, ETCD)
    records.write_text(f"{'1' * 64}  {asset(ETCD).url}\n")
    said = refusal(ETCD)
    assert f"etcd {ETCD.tag} is refused" in said
    assert f"tools/releases.sha256 says {'1' * 64}" in said


@pytest.mark.parametrize("mode", ["auto", "release"])
def test_a_wrong_checksum_is_refused_by_name_and_not_built_around(
    mode: str, vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_go(tmp_path, monkeypatch)
    monkeypatch.setenv("HONEYDUE_TOOLS", mode)
    publish(vendor, ETCD)
    vendor.files[asset(ETCD).url] += b"and more"
    said = refusal(ETCD)
    assert said.startswith(f"etcd {ETCD.tag} is refused: {vendor.url}/github.com/etcd-io/etcd/")
    assert "SHA256SUMS says" in said
    # The next run begins anew.
    publish(vendor, ETCD)
    bring(ETCD)


def test_a_list_without_the_file_verifies_nothing(vendor: Vendor) -> None:
    publish(vendor, ETCD)
    vendor.files[asset(ETCD).checksums] = b"0" * 64 + b"  another\n"
    assert "cannot be verified: set HONEYDUE_TOOLS=build" in refusal(ETCD)


def test_a_cut_download_goes_on_where_it_was(vendor: Vendor) -> None:
    publish(vendor, ETCD)
    url = asset(ETCD).url
    vendor.cut[url] = 700
    bring(ETCD)
    assert [start for name, start in vendor.downloads if url.endswith(name)] == [0, 700]


def test_a_download_that_another_run_began_goes_on_where_it_was(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(vendor, ETCD)
    url = asset(ETCD).url
    vendor.cut[url] = 700
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    assert "broke off after 0.0 MB (the connection was cut): run it again, it goes on there" in refusal(ETCD)
    bring(ETCD)
    assert [start for name, start in vendor.downloads if url.endswith(name)] == [0, 700]


def test_a_server_without_ranges_sends_all_of_it_again(vendor: Vendor) -> None:
    publish(vendor, ETCD)
    vendor.ranges = False
    vendor.cut[asset(ETCD).url] = 700
    bring(ETCD)
    assert [start for _, start in vendor.downloads if start] == []


def test_what_an_earlier_run_left_of_another_file_is_no_mismatch(
    vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(vendor, ETCD)
    vendor.cut[asset(ETCD).url] = 700
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    refusal(ETCD)
    (partial,) = (tmp_path / "cache" / "downloads").glob("*.part")
    partial.write_bytes(b"\0" * 700)
    bring(ETCD)


def test_a_download_that_stands_still_is_given_up(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(vendor, ETCD)
    vendor.stalled[asset(ETCD).url] = 700
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    monkeypatch.setattr(download, "STALL_SECONDS", 0.1)
    assert "(nothing came any more): run it again, it goes on there" in refusal(ETCD)


def test_a_full_disk_is_said(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    publish(vendor, ETCD)
    monkeypatch.setattr(shutil, "copyfileobj", full)
    assert refusal(ETCD).startswith("the disk is full: free some space, or set HONEYDUE_CACHE")


def test_an_archive_that_is_arranged_anew_is_said(vendor: Vendor) -> None:
    publish(vendor, ETCD)
    url = asset(ETCD).url
    vendor.files[url] = archive(url, {"bin/etcd": b"etcd"})
    publish(vendor, ETCD)
    assert "the vendor arranged the release anew" in refusal(ETCD)


@pytest.mark.parametrize("published", [(), (ETCD,)])
def test_what_cannot_be_reached_is_built_after_one_line(
    published: tuple[Program, ...], vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_go(tmp_path, monkeypatch)
    publish(vendor, *published)
    # Nothing listens on port 1. With the site up, its list of checksums is missing.
    if published:
        del vendor.files[asset(ETCD).checksums]
    else:
        monkeypatch.setenv("HONEYDUE_RELEASE_MIRROR", "http://127.0.0.1:1")
    first, second, *_ = bring(ETCD).splitlines()
    expected = (
        f"{asset(ETCD).checksums.replace('https:/', vendor.url)} does not exist"
        if published
        else "127.0.0.1:1 cannot be reached (no connection)"
    )
    assert first == f"{expected}: building 1 of these programs from source instead"
    assert "1 from source" in second
    assert programs.installed(ETCD) == programs.built_folder(ETCD)
    assert programs.installed(ETCD).is_dir()


@pytest.mark.usefixtures("vendor")
def test_only_releases_where_only_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_go(tmp_path, monkeypatch)
    monkeypatch.setenv("HONEYDUE_TOOLS", "release")
    monkeypatch.setenv("HONEYDUE_RELEASE_MIRROR", "http://127.0.0.1:1")
    assert "127.0.0.1:1 cannot be reached (no connection): check the network" in refusal(ETCD)


@pytest.mark.parametrize(("mode", "again"), [("auto", False), ("release", True), ("build", False)])
def test_a_built_program_is_taken_unless_a_release_is_asked_for(
    mode: str, again: bool, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(vendor, ETCD)
    programs.built_folder(ETCD).mkdir(parents=True)
    monkeypatch.setenv("HONEYDUE_TOOLS", mode)
    assert bool(bring(ETCD)) is again
    assert (programs.installed(ETCD) == programs.built_folder(ETCD)) is not again


def test_no_vendor_is_asked_where_all_is_to_be_built(
    vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_go(tmp_path, monkeypatch)
    publish(vendor, ETCD)
    monkeypatch.setenv("HONEYDUE_TOOLS", "build")
    bring(ETCD)
    assert vendor.downloads == []
    assert (programs.built_folder(ETCD) / "etcd").exists()


def test_a_site_that_never_answers_is_given_up_in_seconds(
    vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_go(tmp_path, monkeypatch)
    monkeypatch.setattr(download, "PROBE_SECONDS", 0.1)
    vendor.silent = True
    assert "cannot be reached (no answer" in bring(ETCD)


@pytest.mark.usefixtures("vendor")
def test_a_mirror_is_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HONEYDUE_RELEASE_MIRROR", "mirror.example")
    assert "HONEYDUE_RELEASE_MIRROR is 'mirror.example': expected" in refusal(ETCD)
