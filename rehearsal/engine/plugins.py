"""Which provider plugins a world has for the vendors: the real ones, or simulated ones.

Both send their requests to the simulated clouds. tls and random are always simulated: they have no vendor.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from rich.console import Console

from rehearsal.errors import RehearsalError
from tools.cache import release_folder
from tools.errors import ToolsError
from tools.install import install_missing
from tools.program import Program
from tools.programs import CLOUDFLARE_PLUGIN, HCLOUD_PLUGIN

PROGRAMS: Mapping[str, Program] = {"hcloud": HCLOUD_PLUGIN, "cloudflare": CLOUDFLARE_PLUGIN}
"""The real plugins, by provider."""


class Plugins(StrEnum):
    """The value of PLUGINS."""

    AUTO = "auto"
    """The real plugins that are on PATH or can be downloaded; simulated ones for the others."""
    REAL = "real"
    """The real plugins, which are downloaded if necessary."""
    SIMULATED = "simulated"


def choose_plugins(
    choice: Plugins | None, current: Mapping[str, str] | None, *, log: Callable[[str], None] = lambda _: None
) -> dict[str, str]:
    """The files of a world's real plugins, by provider.

    Without a choice, a world keeps its `current` ones, and a new world follows the variable PLUGINS. By default all are
    simulated. `log` receives the reason why `auto` does not use a plugin.
    """
    if choice is None and current is not None:
        return dict(current)
    chosen = choice or Plugins(os.environ.get("PLUGINS", Plugins.SIMULATED))
    # A world that runs does not wait again for a site that was unreachable when it was created.
    download = chosen is Plugins.REAL or current is None
    return {provider: str(file) for provider, file in real_plugins(chosen, download=download, log=log).items()}


def real_plugins(choice: Plugins, *, download: bool, log: Callable[[str], None] = lambda _: None) -> Mapping[str, Path]:
    """The files of the real plugins to use, by provider. The other providers are simulated.

    Raises a RehearsalError if `choice` is `real` and a plugin of the SDK's version is missing.
    """
    if choice is Plugins.SIMULATED:
        return {}
    plugins: dict[str, Path] = {}
    try:
        for provider in PROGRAMS:
            plugins |= {provider: file} if (file := _on_path(provider)) else {}
        missing = [provider for provider in PROGRAMS if provider not in plugins]
        if download:
            _download(missing)
        plugins |= {provider: file for provider in missing if (file := _downloaded(provider))}
    except RehearsalError as error:
        if choice is Plugins.REAL:
            raise
        simulated = " and ".join(provider for provider in PROGRAMS if provider not in plugins)
        log(f"{error}. The plugins of {simulated} are simulated instead")
    return plugins


def sdk_version(provider: str) -> str:
    """The version of a provider's SDK, which is also that of its plugin."""
    return metadata.version(f"pulumi-{provider}")


def _on_path(provider: str) -> Path | None:
    name = f"pulumi-resource-{provider}"
    found = shutil.which(name)
    if found is None:
        return None
    completed = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    version, expected = completed.stdout.strip().removeprefix("v"), sdk_version(provider)
    if version != expected:
        raise RehearsalError(
            f"{name} on PATH has version {version or 'unknown'}, expected {expected} as in requirements.txt: "
            f"install that version, remove {found} from PATH, or set PLUGINS=simulated"
        )
    return Path(found)


def _downloaded(provider: str) -> Path | None:
    folder = release_folder(PROGRAMS[provider])
    file = folder / f"pulumi-resource-{provider}" if folder else None
    return file if file and file.exists() else None


def _download(providers: Sequence[str]) -> None:
    missing = [PROGRAMS[provider] for provider in providers if _downloaded(provider) is None]
    if not missing:
        return
    try:
        install_missing(Console(stderr=True), missing)
    except ToolsError as error:
        names = " and ".join(f"{program.name} {program.tag}" for program in missing)
        raise RehearsalError(f"{error}. Put {names} on PATH, or set PLUGINS=simulated") from error
