"""The image archives, written without a container engine: containerd imports them, and they cover every pod."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.settings.apps import Images
from infra.settings.logs import LogImages
from infra.settings.monitoring import MonitoringImages
from rehearsal.images import catalog, logs, monitoring
from rehearsal.images.archive import Image
from rehearsal.images.catalog import Schema
from tests.real import containerd
from tests.real.containerd import Containerd
from tests.recipes import EXAMPLE

PASSWORD = "rehearsal-redisPassword"
SERVE_AND_PING = 'sh -c "$1" & until sh -c "$2"; do sleep 0.1; done; redis-cli ping; kill $!; wait'
"""Runs the command of the pod until its readiness probe ($2) succeeds, then sends a PING without a password."""


@pytest.fixture
def settings() -> Images:
    config = yaml.safe_load((EXAMPLE / "Pulumi.prod.yaml").read_text())["config"]
    return Images.model_validate(config["honeydue:images"])


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Containerd]:
    with containerd.running(tmp_path) as client:
        yield client


def import_image(runtime: Containerd, image: Image) -> str:
    """Imports the image into containerd, and returns its reference."""
    file = catalog.archives([image])[image.reference]
    # containerd runs in a chroot that does not contain the cache.
    shutil.copy(file, runtime.folder)
    runtime.ctr("images", "import", f"/run/{file.name}")
    return image.reference


def test_the_catalog_contains_the_image_of_every_pod(settings: Images, pods: Mapping[str, Any]) -> None:
    images = [
        *catalog.release(settings, Schema.FIRST),
        catalog.redis(settings.redis),
        *monitoring.images(MonitoringImages()),
        *logs.images(LogImages()),
    ]
    catalog_references = {image.reference for image in images}
    used = {catalog.full_reference(container["image"]) for pod in pods.values() for container in pod["containers"]}
    assert used == catalog_references


@pytest.mark.parametrize(
    ("reference", "full"),
    [
        ("redis:7-alpine", "docker.io/library/redis:7-alpine"),
        ("rancher/mirrored-library-traefik:3.6.12", "docker.io/rancher/mirrored-library-traefik:3.6.12"),
        ("gitea.treytartt.com/admin/honeydue-api:1", "gitea.treytartt.com/admin/honeydue-api:1"),
        ("localhost/one:1", "localhost/one:1"),
    ],
)
def test_references_are_normalized_as_the_kubelet_does(reference: str, full: str) -> None:
    assert catalog.full_reference(reference) == full


def test_an_archive_is_rewritten_only_when_its_content_changes(
    settings: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(catalog.MIGRATIONS, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(catalog, "MIGRATIONS", tmp_path)
    image = catalog.api(settings.reference("api"), Schema.ADDITIVE)
    file = catalog.archives([image])[image.reference]
    inode = file.stat().st_ino
    assert catalog.archives([image])[image.reference].stat().st_ino == inode
    for migration in tmp_path.glob("*.sql"):
        migration.write_text(migration.read_text() + f"-- {tmp_path}\n")
    changed = catalog.archives([image])[image.reference]
    assert changed != file
    changed.unlink()


def test_containerd_imports_every_image(settings: Images, runtime: Containerd) -> None:
    images = [*catalog.release(settings, Schema.FIRST), catalog.traefik("rancher/mirrored-library-traefik:3.6.12")]
    for image in images:
        import_image(runtime, image)
    listed = [line.split() for line in runtime.ctr("images", "check").splitlines()[1:]]
    assert {line[0] for line in listed} == {image.reference for image in images}
    assert {line[3] for line in listed} == {"complete"}
    assert {line[-1] for line in listed} == {"true"}
    assert "OS/Arch:      linux/amd64" in runtime.ctr(
        "run", "--rm", images[-1].reference, "one", "/usr/local/bin/traefik", "version"
    )


def test_the_migration_image_contains_goose_and_the_migrations(
    settings: Images, runtime: Containerd, pods: Mapping[str, Any]
) -> None:
    image = catalog.api(settings.reference("api"), Schema.BROKEN)
    container = pods["migrate"]["containers"][0]
    folder = {variable["name"]: variable.get("value") for variable in container["env"]}["GOOSE_MIGRATION_DIR"]
    reference = import_image(runtime, image)
    # `validate` needs no database. It reads the migrations relative to the working directory of the image.
    output = runtime.ctr(
        "run", "--rm", "--read-only", reference, "one", *container["command"], "-dir", folder, "validate"
    )
    assert output == ""
    with pytest.raises(AssertionError, match="no-such-folder"):
        runtime.ctr("run", "--rm", reference, "two", *container["command"], "-dir", "no-such-folder", "validate")


def test_the_redis_image_runs_the_command_of_the_pod_and_requires_the_password(
    settings: Images, runtime: Containerd, pods: Mapping[str, Any]
) -> None:
    image = catalog.redis(settings.redis)
    container, context = pods["redis"]["containers"][0], pods["redis"]["securityContext"]
    data = runtime.folder / "data"
    data.mkdir()
    os.chown(data, context["runAsUser"], context["runAsGroup"])
    # ctr uses the user of the image, while the kubelet uses the user of the pod.
    assert image.user == f"{context['runAsUser']}:{context['runAsGroup']}"
    flags = [
        "--rm",
        "--read-only",
        "--env",
        f"REDIS_PASSWORD={PASSWORD}",
        "--mount",
        "type=bind,src=/run/data,dst=/data,options=rbind:rw",
    ]
    assert container["command"] == container["readinessProbe"]["exec"]["command"][:2] == ["sh", "-c"]
    texts = [*container["args"], container["readinessProbe"]["exec"]["command"][2]]
    output = runtime.ctr(
        "run", *flags, import_image(runtime, image), "redis", "timeout", "30", "sh", "-c", SERVE_AND_PING, "sh", *texts
    )
    assert "NOAUTH Authentication required." in output.splitlines()
    assert (data / "appendonlydir").is_dir()
