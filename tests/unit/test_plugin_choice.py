"""PLUGINS chooses the provider plugins of Hetzner and Cloudflare."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rehearsal.engine.plugins import Plugins, choose_plugins, real_plugins, sdk_version
from rehearsal.errors import RehearsalError
from tools import download
from tools.download import Availability

Install = Callable[[str, str], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a plugin of a version on PATH, which contains nothing else. The vendors' releases are unreachable."""
    monkeypatch.setenv("PATH", str(tmp_path))
    unreachable = Availability(reachable=False, reason="unknown host")
    monkeypatch.setattr(download, "probe", lambda urls: dict.fromkeys(urls, unreachable))
    monkeypatch.setenv("HONEYDUE_CACHE", str(tmp_path / "cache"))

    def install(provider: str, version: str) -> Path:
        file = tmp_path / f"pulumi-resource-{provider}"
        file.write_text(f"#!/bin/sh\necho {version}\n")
        file.chmod(0o755)
        return file

    return install


def test_auto_uses_the_plugins_on_path_and_simulates_those_that_cannot_be_downloaded(install: Install) -> None:
    file = install("hcloud", sdk_version("hcloud"))
    messages: list[str] = []
    assert real_plugins(Plugins.AUTO, download=True, log=messages.append) == {"hcloud": file}
    (message,) = messages
    assert message.startswith("github.com is unreachable (unknown host): pulumi-resource-cloudflare cannot be built")
    assert message.endswith("The plugins of cloudflare are simulated instead")


def test_real_fails_if_a_plugin_cannot_be_downloaded(install: Install) -> None:
    install("hcloud", sdk_version("hcloud"))
    expected = rf"Put pulumi-resource-cloudflare v{sdk_version('cloudflare')} on PATH, or set PLUGINS=simulated"
    with pytest.raises(RehearsalError, match=expected):
        real_plugins(Plugins.REAL, download=True)


@pytest.mark.usefixtures("install")
def test_a_running_world_is_not_delayed_by_an_unreachable_site() -> None:
    messages: list[str] = []
    assert choose_plugins(Plugins.AUTO, {}, log=messages.append) == {}
    assert messages == []


def test_simulated_ignores_the_plugins_on_path(install: Install) -> None:
    install("hcloud", sdk_version("hcloud"))
    assert real_plugins(Plugins.SIMULATED, download=True) == {}


def test_another_version_is_named_with_both_versions(install: Install) -> None:
    install("hcloud", "1.2.3")
    expected = rf"pulumi-resource-hcloud on PATH has version 1\.2\.3, expected {sdk_version('hcloud')}"
    with pytest.raises(RehearsalError, match=expected):
        real_plugins(Plugins.REAL, download=True)
    messages: list[str] = []
    assert real_plugins(Plugins.AUTO, download=True, log=messages.append) == {}
    (message,) = messages
    assert "The plugins of hcloud and cloudflare are simulated instead" in message


def test_a_world_keeps_its_plugins_unless_one_is_chosen(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    file = install("cloudflare", sdk_version("cloudflare"))
    assert choose_plugins(None, {"hcloud": "/plugins/hcloud"}) == {"hcloud": "/plugins/hcloud"}
    assert choose_plugins(Plugins.SIMULATED, {"hcloud": "/plugins/hcloud"}) == {}
    assert choose_plugins(None, None) == {}
    monkeypatch.setenv("PLUGINS", "auto")
    assert choose_plugins(None, None) == {"cloudflare": str(file)}
