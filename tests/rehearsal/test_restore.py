"""docs/restore.md, command by command: what was lost is back."""

from collections.abc import Iterator

import pytest

from rehearsal.clouds import existing
from rehearsal.clouds.hetzner.common import SERVER
from rehearsal.engine.placeholders import placeholder
from rehearsal.external.object_store import ObjectStore
from rehearsal.world.world import World
from tests.recipes import checkout_with
from tests.rehearsal.founded import HOSTNAMES, await_whole, machine
from tests.rehearsal.runbook import blocks, run

PAGE = "restore.md"
BUCKET = "honeydue-snapshots"
REGION = "us-east-005"
KEYS = ("snapshotKeyId", "snapshotApplicationKey")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, ObjectStore]]:
    folder = tmp_path_factory.mktemp("worlds")
    with World(folder / "restored", project=checkout_with("Bootstrap a new cluster", folder / "project")) as world:
        access_key, secret_key = (str(placeholder(key, world.layout.pki)) for key in KEYS)
        with ObjectStore(
            world.layout, region=REGION, bucket=BUCKET, access_key=access_key, secret_key=secret_key
        ) as store:
            world.set_config("honeydue:snapshots", {"bucket": BUCKET})
            world.set_config("honeydue:environment.B2_ENDPOINT", store.endpoint)
            for key, value in zip(KEYS, (access_key, secret_key), strict=True):
                world.pulumi("config", "set", "--secret", f"honeydue:{key}", value)
            world.pulumi("up", "--yes", "--skip-preview")
            await_whole(world)
            yield world, store


@pytest.fixture
def world(store: tuple[World, ObjectStore]) -> World:
    return store[0]


def lose(world: World, *aliases: str) -> None:
    """The servers, and the disks in them."""
    for alias in aliases:
        existing.remove(world.layout.clouds, SERVER, HOSTNAMES[alias])
        assert not machine(world, alias).folder.exists()


def remember(world: World, name: str) -> str:
    """Writes something that is in no program, and returns when the cluster was made."""
    world.kubectl("create", "secret", "generic", name, "--namespace=default", "--from-literal=word=precious")
    uid: str = world.kubectl_json("get", "namespace", "kube-system")["metadata"]["uid"]
    return uid


def is_remembered(world: World, name: str, cluster: str) -> None:
    assert (
        world.kubectl("get", "secret", name, "--namespace=default", "--output=jsonpath={.data.word}") == "cHJlY2lvdXM="
    )
    assert world.kubectl_json("get", "namespace", "kube-system")["metadata"]["uid"] == cluster


def environment(world: World, objects: ObjectStore) -> dict[str, str]:
    """What the operator has from the store's console."""
    return {
        "AWS_ACCESS_KEY_ID": str(placeholder(KEYS[0], world.layout.pki)),
        "AWS_SECRET_ACCESS_KEY": str(placeholder(KEYS[1], world.layout.pki)),
        "ENDPOINT": objects.endpoint,
        "REGION": REGION,
        "BUCKET": BUCKET,
        "FOLDER": "etcd",
    }


def test_one_node(world: World) -> None:
    cluster = remember(world, "one-node")
    to_replace_it, to_make_it_anew = blocks(PAGE, "One node is lost")
    run(world, to_replace_it)
    await_whole(world)
    lose(world, "hetzner2")
    run(world, to_make_it_anew)
    await_whole(world)
    is_remembered(world, "one-node", cluster)


def test_the_quorum(world: World) -> None:
    cluster = remember(world, "quorum")
    lose(world, "hetzner1", "hetzner2")
    on_the_last, by_the_operator = blocks(PAGE, "The quorum is lost")
    assert "has been reset" in run(world, on_the_last)
    run(world, by_the_operator)
    await_whole(world)
    is_remembered(world, "quorum", cluster)


def test_everything(store: tuple[World, ObjectStore]) -> None:
    world, objects = store
    cluster = remember(world, "everything")
    saved = "".join(run(world, block) for block in blocks(PAGE, "What to back up"))
    (snapshot,) = {line.removeprefix("s3://") for line in saved.splitlines() if line.startswith("s3://before-")}
    told = environment(world, objects) | {"SNAPSHOT": snapshot}
    lose(world, *HOSTNAMES)
    for block in blocks(PAGE, "All servers are lost"):
        run(world, block, told)
    await_whole(world)
    is_remembered(world, "everything", cluster)
