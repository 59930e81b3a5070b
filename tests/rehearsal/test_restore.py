"""The commands of docs/restore.md restore the cluster with its data."""

from collections.abc import Iterator

import pytest

from rehearsal.engine.placeholders import placeholder
from rehearsal.external.object_store import ObjectStore
from rehearsal.world.world import World
from tests.recipes import checkout_with
from tests.rehearsal.bootstrapped import HOSTNAMES, machine, wait_for_cluster
from tests.rehearsal.clouds import delete_server
from tests.rehearsal.runbook import blocks, run

PAGE = "restore.md"
BUCKET = "honeydue-snapshots"
REGION = "us-east-005"
KEYS = ("snapshotKeyId", "snapshotApplicationKey")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, ObjectStore]]:
    folder = tmp_path_factory.mktemp("worlds")
    with World(folder / "world", project=checkout_with("Bootstrap a new cluster", folder / "project")) as world:
        access_key, secret_key = (str(placeholder(key, world.layout.pki)) for key in KEYS)
        with ObjectStore(
            world.layout, region=REGION, bucket=BUCKET, access_key=access_key, secret_key=secret_key
        ) as store:
            world.set_config("honeydue:snapshots", {"bucket": BUCKET})
            world.set_config("honeydue:environment.B2_ENDPOINT", store.endpoint)
            for key, value in zip(KEYS, (access_key, secret_key), strict=True):
                world.pulumi("config", "set", "--secret", f"honeydue:{key}", value)
            world.pulumi("up", "--yes", "--skip-preview")
            wait_for_cluster(world)
            yield world, store


@pytest.fixture
def world(store: tuple[World, ObjectStore]) -> World:
    return store[0]


def delete_servers(world: World, *aliases: str) -> None:
    """Deletes servers with their disks."""
    for alias in aliases:
        delete_server(world, HOSTNAMES[alias])
        assert not machine(world, alias).folder.exists()


def write_data(world: World, name: str) -> str:
    """Creates a Secret that the program does not declare. Returns the ID of the cluster: the UID of kube-system."""
    world.kubectl("create", "secret", "generic", name, "--namespace=default", "--from-literal=word=precious")
    uid: str = world.kubectl_json("get", "namespace", "kube-system")["metadata"]["uid"]
    return uid


def assert_restored(world: World, name: str, cluster: str) -> None:
    assert (
        world.kubectl("get", "secret", name, "--namespace=default", "--output=jsonpath={.data.word}") == "cHJlY2lvdXM="
    )
    assert world.kubectl_json("get", "namespace", "kube-system")["metadata"]["uid"] == cluster


def environment(world: World, objects: ObjectStore) -> dict[str, str]:
    """The variables that the operator copies from the console of the object store."""
    return {
        "AWS_ACCESS_KEY_ID": str(placeholder(KEYS[0], world.layout.pki)),
        "AWS_SECRET_ACCESS_KEY": str(placeholder(KEYS[1], world.layout.pki)),
        "ENDPOINT": objects.endpoint,
        "REGION": REGION,
        "BUCKET": BUCKET,
        "FOLDER": "etcd",
    }


def test_a_lost_node_is_replaced(world: World) -> None:
    cluster = write_data(world, "lost-node")
    replace_server, recreate_server = blocks(PAGE, "One node is lost")
    run(world, replace_server)
    wait_for_cluster(world)
    delete_servers(world, "hetzner2")
    run(world, recreate_server)
    wait_for_cluster(world)
    assert_restored(world, "lost-node", cluster)


def test_the_cluster_survives_the_loss_of_its_quorum(world: World) -> None:
    cluster = write_data(world, "quorum")
    delete_servers(world, "hetzner1", "hetzner2")
    reset_etcd, recreate_servers = blocks(PAGE, "The quorum is lost")
    assert "has been reset" in run(world, reset_etcd)
    run(world, recreate_servers)
    wait_for_cluster(world)
    assert_restored(world, "quorum", cluster)


def test_the_cluster_is_restored_from_a_snapshot_after_the_loss_of_all_servers(
    store: tuple[World, ObjectStore],
) -> None:
    world, objects = store
    cluster = write_data(world, "all-servers")
    saved = "".join(run(world, block) for block in blocks(PAGE, "What to back up"))
    (snapshot,) = {line.removeprefix("s3://") for line in saved.splitlines() if line.startswith("s3://before-")}
    variables = environment(world, objects) | {"SNAPSHOT": snapshot}
    delete_servers(world, *HOSTNAMES)
    for block in blocks(PAGE, "All servers are lost"):
        run(world, block, variables)
    wait_for_cluster(world)
    assert_restored(world, "all-servers", cluster)
