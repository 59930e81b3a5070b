"""Installs the engine, kubectl and the providers in a world."""

import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from rehearsal.clouds import endpoints
from rehearsal.engine import quiet_exec
from rehearsal.engine.plugins import sdk_version
from rehearsal.layout import PACKAGE, Layout
from tools.cache import executable
from tools.programs import PULUMI
from tools.purposes import required_programs

SIMULATED_PROVIDERS = frozenset({"hcloud", "cloudflare", "tls", "random"})
LAUNCHER = PACKAGE / "plugins" / "launcher.py"


def install(layout: Layout, real_plugins: Mapping[str, str] = MappingProxyType({})) -> None:
    """Installs all programs. An official Pulumi on PATH is used instead of the built engine.

    `real_plugins` are the files of real provider plugins, by provider; the others are simulated.
    """
    layout.temporary.mkdir(exist_ok=True)
    # The engine logs every detail of a command to this folder: 2 MB, and a third of the CPU time of a preview. This log
    # cannot be disabled. With a file in place of the folder, the engine silently writes none.
    (layout.pulumi_home / "logs").touch()
    if PULUMI in required_programs():
        _install_engine(layout)
    _replace(layout.programs / "kubectl", lambda file: file.symlink_to(executable("kubernetes", "kubectl")))
    kubernetes = executable("pulumi-resource-kubernetes", "pulumi-resource-kubernetes")
    _replace(_plugin(layout, "kubernetes"), lambda file: file.symlink_to(kubernetes))
    for provider, file in real_plugins.items():
        _replace(_plugin(layout, provider), partial(_symlink, Path(file)))
    for provider in SIMULATED_PROVIDERS - real_plugins.keys():
        # Isolated and without site-packages: these start in every run of the engine.
        command = [sys.executable, "-I", "-S", str(LAUNCHER), str(endpoints.plugins_port_file(layout.clouds)), provider]
        _write_script(_plugin(layout, provider), f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')


def _install_engine(layout: Layout) -> None:
    # In the same folder: the engine prints a warning when the language host is in another one.
    for name in ("pulumi", "pulumi-language-python"):
        _replace(layout.programs / name, partial(_link, executable(name, name)))
    script = layout.programs / "pulumi-language-python-exec"
    original = executable("pulumi-language-python", script.name)
    _replace(script.with_suffix(quiet_exec.ORIGINAL.suffix), lambda file: file.symlink_to(original))
    _write_script(script, Path(quiet_exec.__file__).read_text())


def _plugin(layout: Layout, provider: str) -> Path:
    """The file at which the engine looks for a provider, by the version of its installed SDK."""
    folder = layout.pulumi_home / "plugins" / f"resource-{provider}-v{sdk_version(provider)}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"pulumi-resource-{provider}"


def _replace(file: Path, create: Callable[[Path], object]) -> None:
    # Remove the file first. It may be a link into the cache, and writing to it would change the program of all worlds.
    file.unlink(missing_ok=True)
    create(file)


def _write_script(file: Path, text: str) -> None:
    _replace(file, lambda file: file.write_text(text))
    file.chmod(0o755)


def _symlink(program: Path, file: Path) -> None:
    file.symlink_to(program)


def _link(program: Path, file: Path) -> None:
    try:
        # Not a symbolic link: the engine follows it and looks for the language host beside the target.
        file.hardlink_to(program)
    except OSError:
        # The cache is on another file system.
        shutil.copy2(program, file)
