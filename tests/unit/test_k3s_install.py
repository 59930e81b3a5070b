"""The script that installs k3s: it installs the pinned binary, and only once."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.machine import Machine, machine
from tests.unit.site import Site, serve

BINARY = b"#!/bin/sh\necho k3s\n"
SHA256 = hashlib.sha256(BINARY).hexdigest()
RELEASE = "/v1.34.6%2Bk3s1"


@pytest.fixture
def releases() -> Iterator[Site]:
    """A server with the files of a release, in the layout of GitHub."""
    with serve({f"{RELEASE}/k3s": BINARY}) as site:
        yield site


@pytest.fixture
def create_node(tmp_path: Path, releases: Site) -> Callable[[str], Machine]:
    def create(sha256: str) -> Machine:
        created = machine(tmp_path, environment={"K3S_RELEASES": releases.url})
        created.write("etc/honeydue/node.env", f"K3S_VERSION='v1.34.6+k3s1'\nK3S_SHA256='{sha256}'\n")
        return created

    return create


def installed(node: Machine) -> list[str]:
    return sorted(path.name for path in (node.root / "usr/local/bin").iterdir())


def test_the_pinned_binary_is_installed_with_its_symbolic_links(
    create_node: Callable[[str], Machine], releases: Site
) -> None:
    node = create_node(SHA256)
    assert node.run("k3s-install") == 0
    assert releases.requests == [f"{RELEASE}/k3s"]
    assert installed(node) == ["crictl", "ctr", "k3s", "kubectl"]
    k3s = node.root / "usr/local/bin/k3s"
    assert k3s.read_bytes() == BINARY
    assert k3s.stat().st_mode & 0o777 == 0o755
    assert (k3s.parent / "kubectl").resolve() == k3s.resolve()


def test_a_binary_with_another_checksum_is_not_installed(create_node: Callable[[str], Machine], releases: Site) -> None:
    releases.files[f"{RELEASE}/k3s"] = b"something else"
    node = create_node(SHA256)
    assert node.run("k3s-install") == 1
    assert f"expected {SHA256}; k3s was not installed" in node.stderr
    assert installed(node) == []


def test_without_a_pinned_checksum_the_checksum_of_the_release_is_used(
    create_node: Callable[[str], Machine], releases: Site
) -> None:
    releases.files[f"{RELEASE}/sha256sum-amd64.txt"] = (
        f"{'0' * 64}  k3s-airgap-images-amd64.tar\n{SHA256}  k3s\n".encode()
    )
    node = create_node("")
    assert node.run("k3s-install") == 0
    assert (node.root / "usr/local/bin/k3s").read_bytes() == BINARY


def test_without_a_pinned_checksum_a_binary_with_another_checksum_is_not_installed(
    create_node: Callable[[str], Machine], releases: Site
) -> None:
    releases.files[f"{RELEASE}/sha256sum-amd64.txt"] = f"{'0' * 64}  k3s\n".encode()
    node = create_node("")
    assert node.run("k3s-install") == 1
    assert installed(node) == []


@pytest.mark.parametrize("published", [None, b"", b"not a list"])
def test_without_any_checksum_nothing_is_installed(
    create_node: Callable[[str], Machine], releases: Site, published: bytes | None
) -> None:
    if published is not None:
        releases.files[f"{RELEASE}/sha256sum-amd64.txt"] = published
    node = create_node("")
    assert node.run("k3s-install") != 0
    assert installed(node) == []


def test_an_installed_binary_is_kept_without_a_download(create_node: Callable[[str], Machine], releases: Site) -> None:
    """The upgrade controller may have installed a newer binary."""
    node = create_node(SHA256)
    node.write("usr/local/bin/k3s", "newer")
    (node.root / "usr/local/bin/k3s").chmod(0o755)
    assert node.run("k3s-install") == 0
    assert releases.requests == []
    assert (node.root / "usr/local/bin/k3s").read_text() == "newer"


def test_a_failed_download_is_repeated_by_the_next_start(create_node: Callable[[str], Machine], releases: Site) -> None:
    del releases.files[f"{RELEASE}/k3s"]
    node = create_node(SHA256)
    node.write("dev/console", "")
    assert node.run("k3s-install") != 0
    assert "404" in node.stderr
    assert "/k3s could not be downloaded: curl: (22) " in (node.root / "dev/console").read_text()
    assert installed(node) == []
    releases.files[f"{RELEASE}/k3s"] = BINARY
    assert node.run("k3s-install") == 0
