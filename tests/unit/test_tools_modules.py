"""Files of Go modules, downloaded from a module proxy without a Go compiler: they match go.sum, or they are refused."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from tests.unit.site import Site, serve
from tests.unit.stubs import restrict_path
from tools import modules, program, programs
from tools.cache import install_folder
from tools.errors import ToolsError
from tools.install import install_missing
from tools.program import Program

DEFINITIONS = Program(
    name="definitions",
    build_minutes=0.1,
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
"""The output of `go mod download -json` for this module."""


def module(files: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"example.com/Upper@v1.2.3/{name}", content)
    return file.getvalue()


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A module proxy. There is no Go compiler and no vendor's site, and the cache is empty."""
    monkeypatch.setenv("HONEYDUE_CACHE", str(tmp_path / "cache"))
    restrict_path(monkeypatch, tmp_path)
    monkeypatch.setattr(program, "HERE", tmp_path)
    DEFINITIONS.folder.mkdir()
    (DEFINITIONS.folder / "go.mod").write_text("require (\n\texample.com/Upper v1.2.3 // indirect\n)\n")
    (DEFINITIONS.folder / "go.sum").write_text(
        f"example.com/Upper v1.2.3 {HASH}\nexample.com/Upper v1.2.3/go.mod h1:x=\n"
    )
    with serve({URL: module(FILES)}) as site:
        monkeypatch.setenv("GOPROXY", f"off|{site.url},direct")
        yield site


def install() -> None:
    install_missing(Console(file=io.StringIO()), [DEFINITIONS])


def test_a_file_and_the_files_of_a_folder_are_copied(proxy: Site) -> None:
    install()
    assert proxy.requests == [URL, URL]
    assert {file.name: file.read_text() for file in install_folder(DEFINITIONS).iterdir()} == {
        "one.yml": "one",
        "three.yml": "three",
    }


def test_a_module_with_another_hash_is_refused(proxy: Site) -> None:
    proxy.files[URL] = module({**FILES, "docs/one.yml": "another"})
    with pytest.raises(
        ToolsError,
        match=r"^definitions is refused: http.*v1\.2\.3\.zip has the hash h1:.*, "
        r"but tools/definitions/go\.sum pins h1:",
    ):
        install()
    assert not install_folder(DEFINITIONS).exists()


@pytest.mark.usefixtures("proxy")
def test_a_goproxy_without_an_http_url_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", "file:///srv/modules,off")
    with pytest.raises(ToolsError, match=r"GOPROXY is 'file:///srv/modules,off': without a Go compiler"):
        install()


def test_the_password_of_a_proxy_is_never_printed(proxy: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", proxy.url.replace("http://", "http://someone:secret@"))
    del proxy.files[URL]
    with pytest.raises(ToolsError, match=r"does not exist \(HTTP 404\)") as error:
        install()
    assert "secret" not in str(error.value)


def test_go_sum_pins_the_modules_of_the_custom_resource_definitions() -> None:
    crds = programs.by_name("crds")
    hashes = [modules.go_sum_hash(crds, module, crds.module_version(module)) for module, _ in crds.copies]
    assert [each[:3] for each in hashes] == ["h1:"] * len(crds.copies)
