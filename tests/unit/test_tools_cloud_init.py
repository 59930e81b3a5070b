"""What judges the nodes' user data is what was reviewed, or nothing."""

from pathlib import Path

import pytest

from tests.unit.site import serving
from tools import cloud_init
from tools.programs import BuildError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HONEYDUE_CACHE", str(tmp_path))
    return tmp_path


def said(monkeypatch: pytest.MonkeyPatch, *sources: str) -> str:
    monkeypatch.setattr(cloud_init, "SOURCES", sources)
    with pytest.raises(BuildError) as error:
        cloud_init.modules()
    return str(error.value)


def test_without_a_network_it_is_one_line(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = said(monkeypatch, "http://127.0.0.1:1/a.deb")
    assert line.startswith("cloud-init 22.4.2-1+deb12u4 could not be fetched, check the network")
    assert "\n" not in line
    assert [path.name for path in cache.iterdir()] == [".lock"]


def test_another_package_is_not_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/a.deb": b"something else"}) as site:
        assert "another file than the one that was reviewed" in said(monkeypatch, f"{site.url}/a.deb")
    assert [path.name for path in cache.iterdir()] == [".lock"]


def test_what_was_fetched_is_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cache / f"cloud-init-{cloud_init.VERSION}-{cloud_init.SHA256[:12]}").mkdir()
    monkeypatch.setattr(cloud_init, "SOURCES", ())
    assert cloud_init.modules().is_dir()
