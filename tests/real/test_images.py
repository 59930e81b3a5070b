"""What is written without a container engine is an image to the one that kubelets use, and all that the cluster asks for is there."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.settings.schema import Images
from rehearsal.images import catalogue
from rehearsal.images.archive import Image
from rehearsal.images.catalogue import Schema
from tests.real import containerd
from tests.real.containerd import Containerd
from tests.recipes import EXAMPLE

PASSWORD = "rehearsal-redisPassword"
SERVED_AND_ASKED = 'sh -c "$1" & until sh -c "$2"; do sleep 0.1; done; redis-cli ping; kill $!; wait'
"""The pod's command, until its probe is content; then a stranger asks."""


@pytest.fixture
def settings() -> Images:
    config = yaml.safe_load((EXAMPLE / "Pulumi.prod.yaml").read_text())["config"]
    return Images.model_validate(config["honeydue:images"])


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Containerd]:
    with containerd.running(tmp_path) as started:
        yield started


def imported(runtime: Containerd, image: Image) -> str:
    """Its reference, once the runtime has it."""
    file = catalogue.archives([image])[image.reference]
    # The cache is not seen from where it runs.
    shutil.copy(file, runtime.folder)
    runtime.ctr("images", "import", f"/run/{file.name}")
    return image.reference


def test_every_image_that_a_pod_asks_for_is_in_the_catalogue(settings: Images, pods: Mapping[str, Any]) -> None:
    made = {image.reference for image in (*catalogue.release(settings, Schema.FIRST), catalogue.redis(settings.redis))}
    asked = {catalogue.normalised(container["image"]) for pod in pods.values() for container in pod["containers"]}
    assert asked == made


@pytest.mark.parametrize(
    ("reference", "full"),
    [
        ("redis:7-alpine", "docker.io/library/redis:7-alpine"),
        ("rancher/mirrored-library-traefik:3.6.12", "docker.io/rancher/mirrored-library-traefik:3.6.12"),
        ("gitea.treytartt.com/admin/honeydue-api:1", "gitea.treytartt.com/admin/honeydue-api:1"),
        ("localhost/one:1", "localhost/one:1"),
    ],
)
def test_a_reference_is_what_kubelets_ask_for(reference: str, full: str) -> None:
    assert catalogue.normalised(reference) == full


def test_an_archive_is_written_once_and_anew_for_another_content(
    settings: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(catalogue.MIGRATIONS, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(catalogue, "MIGRATIONS", tmp_path)
    image = catalogue.api(settings.reference("api"), Schema.ADDITIVE)
    file = catalogue.archives([image])[image.reference]
    written = file.stat().st_ino
    assert catalogue.archives([image])[image.reference].stat().st_ino == written
    for migration in tmp_path.glob("*.sql"):
        migration.write_text(migration.read_text() + f"-- {tmp_path}\n")
    changed = catalogue.archives([image])[image.reference]
    assert changed != file
    changed.unlink()


def test_containerd_takes_every_image(settings: Images, runtime: Containerd) -> None:
    images = [*catalogue.release(settings, Schema.FIRST), catalogue.traefik("rancher/mirrored-library-traefik:3.6.12")]
    for image in images:
        imported(runtime, image)
    listed = [line.split() for line in runtime.ctr("images", "check").splitlines()[1:]]
    assert {line[0] for line in listed} == {image.reference for image in images}
    assert {line[3] for line in listed} == {"complete"}
    assert {line[-1] for line in listed} == {"true"}
    assert "OS/Arch:      linux/amd64" in runtime.ctr(
        "run", "--rm", images[-1].reference, "one", "/usr/local/bin/traefik", "version"
    )


def test_the_migration_finds_goose_and_its_files(
    settings: Images, runtime: Containerd, pods: Mapping[str, Any]
) -> None:
    image = catalogue.api(settings.reference("api"), Schema.BROKEN)
    container = pods["migrate"]["containers"][0]
    folder = {one["name"]: one.get("value") for one in container["env"]}["GOOSE_MIGRATION_DIR"]
    reference = imported(runtime, image)
    # Without a database: goose itself, and what it reads from where the image starts it.
    said = runtime.ctr(
        "run", "--rm", "--read-only", reference, "one", *container["command"], "-dir", folder, "validate"
    )
    assert said == ""
    with pytest.raises(AssertionError, match="no-such-folder"):
        runtime.ctr("run", "--rm", reference, "two", *container["command"], "-dir", "no-such-folder", "validate")


def test_redis_runs_as_its_pod_does_and_asks_for_the_password(
    settings: Images, runtime: Containerd, pods: Mapping[str, Any]
) -> None:
    image = catalogue.redis(settings.redis)
    container, context = pods["redis"]["containers"][0], pods["redis"]["securityContext"]
    data = runtime.folder / "data"
    data.mkdir()
    os.chown(data, context["runAsUser"], context["runAsGroup"])
    # ctr takes the user from the image, kubelets from the pod.
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
    said = runtime.ctr(
        "run", *flags, imported(runtime, image), "redis", "timeout", "30", "sh", "-c", SERVED_AND_ASKED, "sh", *texts
    )
    assert "NOAUTH Authentication required." in said.splitlines()
    assert (data / "appendonlydir").is_dir()
