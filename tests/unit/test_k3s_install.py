"""k3s is installed once, and only the one that was chosen."""

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
    """Holds the files of a release, as GitHub does."""
    with serve({f"{RELEASE}/k3s": BINARY}) as site:
        yield site


@pytest.fixture
def node(tmp_path: Path, releases: Site) -> Callable[[str], Machine]:
    def new(sha256: str) -> Machine:
        made = machine(tmp_path, environment={"K3S_RELEASES": releases.url})
        made.write("etc/honeydue/node.env", f"K3S_VERSION='v1.34.6+k3s1'\nK3S_SHA256='{sha256}'\n")
        return made

    return new


def installed(node: Machine) -> list[str]:
    return sorted(path.name for path in (node.root / "usr/local/bin").iterdir())


def test_the_pinned_binary_is_installed_with_its_other_names(node: Callable[[str], Machine], releases: Site) -> None:
    new = node(SHA256)
    assert new.run("k3s-install") == 0
    assert releases.requests == [f"{RELEASE}/k3s"]
    assert installed(new) == ["crictl", "ctr", "k3s", "kubectl"]
    k3s = new.root / "usr/local/bin/k3s"
    assert k3s.read_bytes() == BINARY
    assert k3s.stat().st_mode & 0o777 == 0o755
    assert (k3s.parent / "kubectl").resolve() == k3s.resolve()


def test_another_binary_is_refused_and_nothing_is_installed(node: Callable[[str], Machine], releases: Site) -> None:
    releases.files[f"{RELEASE}/k3s"] = b"something else"
    new = node(SHA256)
    assert new.run("k3s-install") == 1
    assert f"expected {SHA256}; k3s was not installed" in new.said
    assert installed(new) == []


def test_without_a_pin_it_must_be_what_the_release_says(node: Callable[[str], Machine], releases: Site) -> None:
    releases.files[f"{RELEASE}/sha256sum-amd64.txt"] = (
        f"{'0' * 64}  k3s-airgap-images-amd64.tar\n{SHA256}  k3s\n".encode()
    )
    new = node("")
    assert new.run("k3s-install") == 0
    assert (new.root / "usr/local/bin/k3s").read_bytes() == BINARY


def test_without_a_pin_another_binary_is_refused(node: Callable[[str], Machine], releases: Site) -> None:
    releases.files[f"{RELEASE}/sha256sum-amd64.txt"] = f"{'0' * 64}  k3s\n".encode()
    new = node("")
    assert new.run("k3s-install") == 1
    assert installed(new) == []


@pytest.mark.parametrize("published", [None, b"", b"not a list"])
def test_without_a_pin_and_without_a_published_one_nothing_is_installed(
    node: Callable[[str], Machine], releases: Site, published: bytes | None
) -> None:
    if published is not None:
        releases.files[f"{RELEASE}/sha256sum-amd64.txt"] = published
    new = node("")
    assert new.run("k3s-install") != 0
    assert installed(new) == []


def test_what_is_installed_stays_and_nothing_is_asked(node: Callable[[str], Machine], releases: Site) -> None:
    """The upgrade controller may have brought a newer one."""
    new = node(SHA256)
    new.write("usr/local/bin/k3s", "newer")
    (new.root / "usr/local/bin/k3s").chmod(0o755)
    assert new.run("k3s-install") == 0
    assert releases.requests == []
    assert (new.root / "usr/local/bin/k3s").read_text() == "newer"


def test_a_release_that_is_not_there_is_tried_again_by_the_next_start(
    node: Callable[[str], Machine], releases: Site
) -> None:
    del releases.files[f"{RELEASE}/k3s"]
    new = node(SHA256)
    assert new.run("k3s-install") != 0
    assert "404" in new.said
    assert installed(new) == []
    releases.files[f"{RELEASE}/k3s"] = BINARY
    assert new.run("k3s-install") == 0
