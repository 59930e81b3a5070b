"""The packages of rehearsal/ import each other in one direction only."""

import ast
from collections.abc import Iterator
from pathlib import Path

import rehearsal

LAYERS = (
    {"errors", "loopback"},
    {"layout", "pki"},
    {"external_authority", "processes"},
    {"control_plane"},
    {"plugins", "traefik"},
    {"clouds"},
    {"engine", "external", "images", "machines"},
    {"real_nodes"},
    {"world"},
    {"brownfield"},
    {"cli"},
    {"__main__"},
)
"""From the bottom to the top. A package imports only packages of lower layers."""
LAYER_OF = {package: number for number, layer in enumerate(LAYERS) for package in layer}
ROOT = Path(rehearsal.__file__).parent


def imports() -> Iterator[tuple[Path, str, str]]:
    """Each import between two packages: the file, its package, and the imported package."""
    for file in ROOT.rglob("*.py"):
        package = file.relative_to(ROOT).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names = (
                    [node.module] if node.module != "rehearsal" else [f"rehearsal.{name.name}" for name in node.names]
                )
            elif isinstance(node, ast.Import):
                names = [name.name for name in node.names]
            else:
                continue
            for name in names:
                top, _, rest = name.partition(".")
                imported = rest.partition(".")[0]
                if top == "rehearsal" and imported not in {"", package}:
                    yield file, package, imported


def test_a_package_imports_only_packages_of_lower_layers() -> None:
    package_imports = list(imports())
    assert len({(package, imported) for _, package, imported in package_imports}) > 40
    upwards = [
        f"{file.relative_to(ROOT)} imports rehearsal.{imported}"
        for file, package, imported in package_imports
        if package != "__init__" and LAYER_OF[imported] >= LAYER_OF[package]
    ]
    assert upwards == []
