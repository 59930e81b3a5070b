"""Vendors' releases, served on loopback with the vendors' paths: verified files are used, all others are refused."""

import errno
import hashlib
import io
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from tests.unit.stubs import restrict_path, write_stub
from tests.unit.vendor_site import VendorSite, archive, serve
from tools import download, programs
from tools.cache import built_folder, install_folder
from tools.errors import ToolsError
from tools.install import install_missing
from tools.program import Asset, Program, this_platform

ETCD, KUBERNETES, PULUMI, PYTHON = map(programs.by_name, ("etcd", "kubernetes", "pulumi", "pulumi-language-python"))
CONTENT = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(100))
"""Bytes that an archive cannot compress."""


@pytest.fixture
def vendor(tmp_path: Path, checksum_records: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VendorSite]:
    """The sites of all vendors, an empty cache and no Go compiler."""
    monkeypatch.setenv("HONEYDUE_CACHE", str(tmp_path / "cache"))
    restrict_path(monkeypatch, tmp_path)
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0.0)
    # On a busy machine, the site may take longer to respond than the default timeout.
    monkeypatch.setattr(download, "PROBE_SECONDS", 30.0)
    # An incomplete block is lost when a download is interrupted.
    monkeypatch.setattr(download, "BLOCK_BYTES", 100)
    assert checksum_records.read_text() == "# none\n"
    with serve({}) as site:
        monkeypatch.setenv("HONEYDUE_RELEASE_MIRROR", site.url)
        yield site


def first_asset(program: Program) -> Asset:
    """The first file of the program's release for this machine."""
    return program.assets(this_platform())[0]


def publish(vendor: VendorSite, *released: Program) -> None:
    """Adds all files of these programs' releases and the lists of their checksums to the site."""
    for program in released:
        for asset in program.assets(this_platform()):
            name = asset.url.rsplit("/", 1)[1]
            # Each file contains its path, and enough bytes for an interrupted download.
            contents = {path: f"{path} of {name} ".encode() + CONTENT for path in asset.contents}
            # The archive of the Pulumi CLI contains two programs.
            if asset.url not in vendor.files:
                vendor.files[asset.url] = archive(
                    asset.url, {**contents, **({} if "" in contents else {"LICENSE": b"the vendor's"})}
                )
            sha256 = hashlib.sha256(vendor.files[asset.url]).hexdigest()
            vendor.files[asset.checksums] = f"{'0' * 64}  another\n{sha256}  {name}\n".encode()


def install(*selected: Program) -> str:
    """Installs programs. Returns the output."""
    output = io.StringIO()
    install_missing(Console(file=output, width=300), selected)
    return output.getvalue()


def install_error(*selected: Program) -> str:
    """The message of the error that ends the installation."""
    with pytest.raises(ToolsError) as error:
        install(*selected)
    assert "\n" not in str(error.value)
    assert not any(install_folder(program).exists() for program in selected)
    return str(error.value)


def use_go_stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stub of Go that builds one empty binary."""
    script = """
    case "$1" in
    env) echo go1.26.6 ;;
    list) echo "main example.com/server" ;;
    build) while [ "$1" != -o ]; do shift; done; touch "$2/server" ;;
    esac
    """
    write_stub(tmp_path / "bin", "go", script)
    restrict_path(monkeypatch, tmp_path / "bin")


def test_a_release_is_installed_without_go(vendor: VendorSite) -> None:
    publish(vendor, ETCD)
    output = install(ETCD)
    folder = install_folder(ETCD)
    assert {file.name for file in folder.iterdir()} == {"etcd", "etcdctl", "etcdutl"}
    assert (folder / "etcdctl").read_bytes().startswith(f"etcd-{ETCD.tag}-".encode())
    assert all(file.stat().st_mode & stat.S_IXUSR for file in folder.iterdir())
    assert "1 from vendors' releases" in output
    assert install(ETCD) == ""


def test_downloaded_files_are_removed_after_the_installation(vendor: VendorSite, tmp_path: Path) -> None:
    publish(vendor, ETCD)
    install(ETCD)
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {".lock", install_folder(ETCD).name}


def test_plain_files_are_verified_with_the_checksum_file_of_each(
    vendor: VendorSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.program.platform.system", lambda: "Linux")
    publish(vendor, KUBERNETES)
    for asset in KUBERNETES.assets(this_platform()):
        # The files at dl.k8s.io contain the checksum only.
        vendor.files[asset.checksums] = hashlib.sha256(vendor.files[asset.url]).hexdigest().encode()
    install(KUBERNETES)
    assert (install_folder(KUBERNETES) / "kube-scheduler").read_bytes().startswith(b" of kube-scheduler")


def test_an_archive_of_two_programs_is_downloaded_once(vendor: VendorSite) -> None:
    url = first_asset(PULUMI).url
    names = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec")
    vendor.files[url] = archive(url, {f"pulumi/{name}": name.encode() for name in names})
    publish(vendor, PULUMI, PYTHON)
    install(PULUMI, PYTHON)
    assert [name for name, _ in vendor.downloads if name.endswith(".tar.gz")] == [url.rsplit("/", 1)[1]]
    assert (install_folder(PYTHON) / "pulumi-language-python-exec").read_text() == "pulumi-language-python-exec"


def test_a_recorded_checksum_overrides_the_vendors_list(vendor: VendorSite, checksum_records: Path) -> None:
    publish(vendor, ETCD)
    checksum_records.write_text(f"{'1' * 64}  {first_asset(ETCD).url}\n")
    message = install_error(ETCD)
    assert f"etcd {ETCD.tag} is refused" in message
    assert f"tools/releases.sha256 contains {'1' * 64}" in message


@pytest.mark.parametrize("mode", ["auto", "release"])
def test_a_release_with_a_wrong_checksum_is_refused_and_not_built_instead(
    mode: str, vendor: VendorSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_go_stub(tmp_path, monkeypatch)
    monkeypatch.setenv("HONEYDUE_TOOLS", mode)
    publish(vendor, ETCD)
    vendor.files[first_asset(ETCD).url] += b"and more"
    message = install_error(ETCD)
    assert message.startswith(f"etcd {ETCD.tag} is refused: {vendor.url}/github.com/etcd-io/etcd/")
    assert "SHA256SUMS contains" in message
    # The next run downloads the file again.
    publish(vendor, ETCD)
    install(ETCD)


def test_a_list_of_checksums_without_the_file_verifies_nothing(vendor: VendorSite) -> None:
    publish(vendor, ETCD)
    vendor.files[first_asset(ETCD).checksums] = b"0" * 64 + b"  another\n"
    assert "cannot be verified: set HONEYDUE_TOOLS=build" in install_error(ETCD)


def test_an_interrupted_download_is_resumed(vendor: VendorSite) -> None:
    publish(vendor, ETCD)
    url = first_asset(ETCD).url
    vendor.truncate_once[url] = 700
    install(ETCD)
    assert [start for name, start in vendor.downloads if url.endswith(name)] == [0, 700]


def test_the_download_of_an_earlier_run_is_resumed(vendor: VendorSite, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(vendor, ETCD)
    url = first_asset(ETCD).url
    vendor.truncate_once[url] = 700
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    assert "stopped after 0.0 MB (the connection was closed): run the same command again to resume it" in (
        install_error(ETCD)
    )
    install(ETCD)
    assert [start for name, start in vendor.downloads if url.endswith(name)] == [0, 700]


def test_a_server_without_ranges_sends_the_whole_file_again(vendor: VendorSite) -> None:
    publish(vendor, ETCD)
    vendor.supports_ranges = False
    vendor.truncate_once[first_asset(ETCD).url] = 700
    install(ETCD)
    assert [start for _, start in vendor.downloads if start] == []


def test_a_partial_file_with_other_content_is_downloaded_again(
    vendor: VendorSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(vendor, ETCD)
    vendor.truncate_once[first_asset(ETCD).url] = 700
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    install_error(ETCD)
    (partial,) = (tmp_path / "cache" / "downloads").glob("*.part")
    partial.write_bytes(b"\0" * 700)
    install(ETCD)


def test_a_stalled_download_times_out(vendor: VendorSite, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(vendor, ETCD)
    vendor.stall[first_asset(ETCD).url] = 700
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    monkeypatch.setattr(download, "STALL_SECONDS", 0.1)
    assert "(no more data arrived): run the same command again to resume it" in install_error(ETCD)


def test_a_full_disk_is_reported(vendor: VendorSite, monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_disk_full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    publish(vendor, ETCD)
    monkeypatch.setattr(shutil, "copyfileobj", raise_disk_full)
    assert install_error(ETCD).startswith("the disk is full: free some space, or set HONEYDUE_CACHE")


def test_an_archive_with_another_layout_is_reported(vendor: VendorSite) -> None:
    publish(vendor, ETCD)
    url = first_asset(ETCD).url
    vendor.files[url] = archive(url, {"bin/etcd": b"etcd"})
    publish(vendor, ETCD)
    assert "the vendor changed the layout of the release" in install_error(ETCD)


@pytest.mark.parametrize("published", [(), (ETCD,)])
def test_a_program_is_built_if_its_release_is_unavailable(
    published: tuple[Program, ...], vendor: VendorSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_go_stub(tmp_path, monkeypatch)
    publish(vendor, *published)
    # Either the list of checksums is missing, or the site is unreachable: nothing listens on port 1.
    if published:
        del vendor.files[first_asset(ETCD).checksums]
    else:
        monkeypatch.setenv("HONEYDUE_RELEASE_MIRROR", "http://127.0.0.1:1")
    first, second, *_ = install(ETCD).splitlines()
    problem = (
        f"{first_asset(ETCD).checksums.replace('https:/', vendor.url)} does not exist"
        if published
        else "127.0.0.1:1 is unreachable (no connection)"
    )
    assert first == f"{problem}: building 1 of these programs from source instead"
    assert "1 from source" in second
    assert install_folder(ETCD) == built_folder(ETCD)
    assert install_folder(ETCD).is_dir()


@pytest.mark.usefixtures("vendor")
def test_the_origin_release_fails_if_the_site_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_go_stub(tmp_path, monkeypatch)
    monkeypatch.setenv("HONEYDUE_TOOLS", "release")
    monkeypatch.setenv("HONEYDUE_RELEASE_MIRROR", "http://127.0.0.1:1")
    assert "127.0.0.1:1 is unreachable (no connection): check the network" in install_error(ETCD)


@pytest.mark.parametrize(("mode", "installs"), [("auto", False), ("release", True), ("build", False)])
def test_a_built_program_is_used_unless_the_origin_is_release(
    mode: str, installs: bool, vendor: VendorSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(vendor, ETCD)
    built_folder(ETCD).mkdir(parents=True)
    monkeypatch.setenv("HONEYDUE_TOOLS", mode)
    assert bool(install(ETCD)) is installs
    assert (install_folder(ETCD) == built_folder(ETCD)) is not installs


def test_the_origin_build_queries_no_vendor(
    vendor: VendorSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_go_stub(tmp_path, monkeypatch)
    publish(vendor, ETCD)
    monkeypatch.setenv("HONEYDUE_TOOLS", "build")
    install(ETCD)
    assert vendor.downloads == []
    assert (built_folder(ETCD) / "etcd").exists()


def test_a_site_that_never_responds_times_out(
    vendor: VendorSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_go_stub(tmp_path, monkeypatch)
    monkeypatch.setattr(download, "PROBE_SECONDS", 0.1)
    vendor.silent = True
    assert "is unreachable (no response" in install(ETCD)


@pytest.mark.usefixtures("vendor")
def test_a_mirror_must_be_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HONEYDUE_RELEASE_MIRROR", "mirror.example")
    assert "HONEYDUE_RELEASE_MIRROR is 'mirror.example': expected" in install_error(ETCD)
