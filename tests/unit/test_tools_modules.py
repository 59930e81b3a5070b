"""Files out of Go modules, fetched from a module proxy without a Go compiler: they are what go.sum says, or refused."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from tests.unit.site import Site, serving
from tests.unit.stubs import alone_on_path
from tools import build, modules, program, programs
from tools.program import BuildError, Program

DEFINITIONS = Program(
    name="definitions",
    minutes=0.1,
    module="example.com/Upper",
    copies=(("example.com/Upper", "docs/one.yml"), ("example.com/Upper", "generated")),
)
URL = "/example.com/!upper/@v/v1.2.3.zip"
FILES = {
    "docs/one.yml": "one",
    "docs/two.yml": "two",
    "generated/three.yml": "three",
    "generated/deeper/four.yml": "four",
}
HASH = "h1:8z4qLapubmIvAkBkS3UbMCWgw+e08hIm7ywU+SB4+2Q="
"""As `go mod download -json` prints it for that module."""


def module(files: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"example.com/Upper@v1.2.3/{name}", content)
    return file.getvalue()


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A module proxy; no Go, an empty cache, and no vendor of releases."""
    monkeypatch.setenv("HONEYDUE_CACHE", str(tmp_path / "cache"))
    alone_on_path(monkeypatch, tmp_path)
    monkeypatch.setattr(program, "HERE", tmp_path)
    DEFINITIONS.folder.mkdir()
    (DEFINITIONS.folder / "go.mod").write_text("require (\n\texample.com/Upper v1.2.3 // indirect\n)\n")
    (DEFINITIONS.folder / "go.sum").write_text(
        f"example.com/Upper v1.2.3 {HASH}\nexample.com/Upper v1.2.3/go.mod h1:x=\n"
    )
    with serving({URL: module(FILES)}) as site:
        monkeypatch.setenv("GOPROXY", f"off|{site.url},direct")
        yield site


def bring() -> None:
    build.build_missing(Console(file=io.StringIO()), [DEFINITIONS])


def test_a_file_and_the_files_of_a_folder_are_copied(proxy: Site) -> None:
    bring()
    assert proxy.asked == [URL, URL]
    assert {file.name: file.read_text() for file in programs.installed(DEFINITIONS).iterdir()} == {
        "one.yml": "one",
        "three.yml": "three",
    }


def test_a_module_that_is_not_the_reviewed_one_is_refused(proxy: Site) -> None:
    proxy.files[URL] = module({**FILES, "docs/one.yml": "another"})
    with pytest.raises(
        BuildError,
        match=r"^definitions is refused: http.*v1\.2\.3\.zip has the hash h1:.*, and tools/definitions/go\.sum says h1:",
    ):
        bring()
    assert not programs.installed(DEFINITIONS).exists()


@pytest.mark.usefixtures("proxy")
def test_a_proxy_that_no_http_client_can_ask_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", "file:///srv/modules,off")
    with pytest.raises(BuildError, match=r"GOPROXY is 'file:///srv/modules,off': without a Go compiler"):
        bring()


def test_a_proxys_password_is_never_told(proxy: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", proxy.url.replace("http://", "http://someone:secret@"))
    del proxy.files[URL]
    with pytest.raises(BuildError, match=r"does not exist \(HTTP 404\)") as error:
        bring()
    assert "secret" not in str(error.value)


def test_the_definitions_that_a_rehearsal_uses_are_pinned() -> None:
    crds = programs.named("crds")
    assert [modules._pinned(crds, one, crds.required(one))[:3] for one, _ in crds.copies] == ["h1:", "h1:"]
