"""containerd pulls an image from the second registry while the first one is away, with the file of a new node.

Two real registries, one of them stopped, and a containerd that has never seen the image.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from infra.machines.registries import configuration
from ops.mirror.copy import Mirror
from ops.mirror.images import Source
from ops.registry.client import Login, Registry
from ops.registry.upload import WritableRegistry
from rehearsal.external.image_registry import USERNAME, ImageRegistry
from rehearsal.layout import Layout
from tests.real import containerd
from tests.unit.flips import example

PASSWORD = "rehearsal-password"
LOGIN = Login(username=USERNAME, password=PASSWORD)
NAME, PATH, TAG = "admin/honeydue-api", "mirror", "1"


@pytest.fixture
def registries(tmp_path: Path) -> Iterator[Mapping[str, ImageRegistry]]:
    with ExitStack() as stack:
        servers = {}
        for name in ("first", "second"):
            layout = Layout(tmp_path / name)
            layout.logs.mkdir(parents=True)
            servers[name] = stack.enter_context(ImageRegistry(layout, password=PASSWORD))
        yield servers


def hosts_files(registries: object) -> Mapping[str, str]:
    """hosts.toml of each registry, as k3s writes it from registries.yaml (k3s, pkg/agent/containerd/config.go).

    Both registries are on loopback and have no TLS.
    """
    files = {}
    assert isinstance(registries, Mapping)
    for host, mirror in registries["mirrors"].items():
        lines = [f'server = "https://{host}/v2"']
        for endpoint in mirror["endpoint"]:
            url = endpoint.replace("https://127.0.0.1", "http://127.0.0.1")
            has_path = "/v2" in url
            lines += [f'[host."{url if has_path else url + "/v2"}"]', 'capabilities = ["pull", "resolve"]']
            lines += ["override_path = true"] if has_path else []
        files[host] = "\n".join(lines)
    return files


def host_of(registry: ImageRegistry) -> str:
    return registry.url.removeprefix("http://")


def test_a_new_containerd_pulls_from_the_second_registry_while_the_first_is_away(
    registries: Mapping[str, ImageRegistry], toolbox: Path, tmp_path: Path
) -> None:
    first, second = registries["first"], registries["second"]
    login = ["--user", f"{USERNAME}:{PASSWORD}"]
    reference = f"{host_of(first)}/{NAME}:{TAG}"
    for name in ("builder", "node"):
        (tmp_path / name).mkdir()
    with containerd.running(tmp_path / "builder") as builder:
        archive = tmp_path / "builder/image.tar"
        archive.write_bytes(toolbox.read_bytes())
        builder.ctr("images", "import", "/run/image.tar")
        imported = builder.ctr("images", "ls", "--quiet").split()[0]
        builder.ctr("images", "tag", imported, reference)
        builder.ctr("images", "push", "--plain-http", *login, reference)

    source = Registry("first", login=LOGIN, url=first.url)
    digest = source.digest(NAME, TAG)
    mirror = Mirror(WritableRegistry(host_of(second), login=LOGIN), PATH)
    mirror.copy(mirror.missing(Source(registry=source, name=NAME, tag=TAG, digest=digest, ours=True)))
    first.stop()

    settings = example({"images.registry": f"{host_of(first)}/admin", "registryMirror": f"{host_of(second)}/{PATH}"})
    written = hosts_files(yaml.safe_load(yaml.safe_dump(configuration(settings))))
    with containerd.running(tmp_path / "node") as node:
        pinned = f"{reference.rpartition(':')[0]}@{digest}"
        with pytest.raises(AssertionError, match="connection refused"):
            node.ctr("images", "pull", "--plain-http", *login, pinned)
        for host, content in written.items():
            folder = node.folder / "hosts" / host
            folder.mkdir(parents=True)
            (folder / "hosts.toml").write_text(content)
        node.ctr("images", "pull", "--hosts-dir", "/run/hosts", *login, pinned)
        (complete,) = node.ctr("images", "check", f"name=={pinned}").splitlines()[1:]
        assert digest in complete
        assert " complete " in complete
        assert "uid=1000" in node.ctr("run", "--rm", pinned, "one", "/usr/bin/id")
