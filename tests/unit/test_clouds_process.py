"""A simulated provider as the engine starts it: a process that prints its port and speaks gRPC; and several at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from rehearsal.clouds.account import WORLD_VARIABLE
from rehearsal.clouds.store import BrokenStateError, Store
from tests.unit.clouds_client import Engine, account, plain, struct

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[provider_pb2_grpc.ResourceProviderStub]:
    world = tmp_path_factory.mktemp("world")
    account(world / "clouds")
    process = subprocess.Popen(
        [sys.executable, "-m", "rehearsal.clouds", "cloudflare", "127.0.0.1:1"],
        cwd=ROOT,
        env={**os.environ, WORLD_VARIABLE: str(world)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    port = int(process.stdout.readline())
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield provider_pb2_grpc.ResourceProviderStub(channel)
    process.terminate()
    process.stdout.close()
    assert process.wait(timeout=10) == 0


def test_the_engine_introduces_itself(stub: provider_pb2_grpc.ResourceProviderStub) -> None:
    assert stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address="127.0.0.1:1")).accept_secrets
    assert stub.GetPluginInfo(empty_pb2.Empty()).version.startswith("6.")
    configured = stub.Configure(provider_pb2.ConfigureRequest(acceptSecrets=True, acceptResources=True))
    assert configured.acceptSecrets
    assert configured.supportsPreview
    assert not configured.acceptResources
    config = stub.CheckConfig(provider_pb2.CheckRequest(news=struct({"apiToken": "t"})))
    assert plain(config.inputs) == {"apiToken": "t"}
    rotated = stub.DiffConfig(provider_pb2.DiffRequest(olds=struct({"apiToken": "t"}), news=struct({"apiToken": "u"})))
    assert rotated.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert not rotated.replaces


def test_a_urn_says_type_and_name(stub: provider_pb2_grpc.ResourceProviderStub) -> None:
    # Older engines send nothing else; a component's type stands before the resource's own.
    urn = "urn:pulumi:prod::honeydue::honeydue:Edge$cloudflare:index/tieredCache:TieredCache::cache"
    answer = stub.Check(provider_pb2.CheckRequest(urn=urn, news=struct({"zoneId": "z", "value": "yes"})))
    assert answer.failures[0].reason.endswith("Examine values at 'cache.value'.")


def test_what_is_not_served_says_so(stub: provider_pb2_grpc.ResourceProviderStub) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        stub.Parameterize(provider_pb2.ParameterizeRequest())
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_an_error_reaches_the_engine_as_it_is(stub: provider_pb2_grpc.ResourceProviderStub) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        stub.Invoke(provider_pb2.InvokeRequest(tok="cloudflare:index/getZone:getZone", args=struct({"zoneId": "none"})))
    assert refused.value.details() == "found no zone none in the account; its zones are: myhoneydue.com"


def test_a_process_without_a_world_says_what_it_misses() -> None:
    environment = {name: value for name, value in os.environ.items() if name != WORLD_VARIABLE}
    ended = subprocess.run(
        [sys.executable, "-m", "rehearsal.clouds", "hcloud"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("HONEYDUE_WORLD is not set")


def test_many_creations_at_once_get_ids_of_their_own(tmp_path: Path) -> None:
    type_ = "hcloud:index/placementGroup:PlacementGroup"
    engines = [Engine("hcloud", tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        made = list(
            pool.map(lambda index: engines[index % 4].create(type_, {"name": f"g{index}", "type": "spread"}), range(24))
        )
    assert len({thing.id for thing in made}) == 24
    assert len(Store(tmp_path / "hcloud.json").read().of(type_)) == 24


def test_a_refused_creation_leaves_no_trace(tmp_path: Path) -> None:
    store = Store(tmp_path / "x.json")

    def interrupted() -> None:
        with store.transaction() as state:
            state.of("t")["1"] = {"a": 1}
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert store.read().resources == {}


def test_a_broken_state_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(BrokenStateError, match=r"x\.json is not valid JSON"):
        Store(tmp_path / "x.json").read()


def test_looking_does_not_touch_the_state(tmp_path: Path) -> None:
    engine = Engine("hcloud", tmp_path)
    made = engine.create("hcloud:index/placementGroup:PlacementGroup", {"name": "g", "type": "spread"})
    state = tmp_path / "hcloud.json"
    before = state.stat()
    assert engine.read(made) == made
    assert state.stat().st_ino == before.st_ino
