"""The process that serves the clouds and plugins, and the launcher that the engine starts for each plugin."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from rehearsal.clouds import endpoints
from rehearsal.engine.installation import LAUNCHER
from tests.unit.clouds.api import CLOUDFLARE_TOKEN, account
from tests.unit.plugins.engine import plain, struct

ROOT = Path(__file__).parents[3]
SECONDS = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of clouds that a separate process serves."""
    folder = tmp_path_factory.mktemp("clouds")
    account(folder)
    with subprocess.Popen([sys.executable, "-m", "rehearsal.clouds", str(folder)], cwd=ROOT) as process:
        deadline = time.monotonic() + SECONDS
        while endpoints.port(folder) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        yield folder
        process.terminate()


@contextmanager
def launched(folder: Path, provider: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-I", "-S", str(LAUNCHER), str(endpoints.plugins_port_file(folder)), provider]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as launcher:
        yield launcher
        launcher.terminate()


@pytest.fixture(scope="module")
def stub(folder: Path) -> Iterator[provider_pb2_grpc.ResourceProviderStub]:
    with launched(folder, "cloudflare") as launcher:
        assert launcher.stdout is not None
        port = int(launcher.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield provider_pb2_grpc.ResourceProviderStub(channel)


def test_handshake_and_configuration(stub: provider_pb2_grpc.ResourceProviderStub) -> None:
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


def test_type_and_name_are_read_from_the_urn(stub: provider_pb2_grpc.ResourceProviderStub) -> None:
    # Older engines send only the URN. It contains the type of the parent component before the type of the resource.
    urn = "urn:pulumi:prod::honeydue::honeydue:Edge$cloudflare:index/tieredCache:TieredCache::cache"
    response = stub.Check(provider_pb2.CheckRequest(urn=urn, news=struct({"zoneId": "z", "value": "yes"})))
    assert response.failures[0].reason.endswith("Examine values at 'cache.value'.")


def test_an_unsupported_method_is_unimplemented(stub: provider_pb2_grpc.ResourceProviderStub) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        stub.Parameterize(provider_pb2.ParameterizeRequest())
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_an_error_reaches_the_engine_unchanged(stub: provider_pb2_grpc.ResourceProviderStub, folder: Path) -> None:
    stub.Configure(provider_pb2.ConfigureRequest(args=struct({"apiToken": CLOUDFLARE_TOKEN})))
    with pytest.raises(grpc.RpcError) as raised:
        stub.Invoke(provider_pb2.InvokeRequest(tok="cloudflare:index/getZone:getZone", args=struct({"zoneId": "none"})))
    port = endpoints.port(folder)
    assert port is not None
    path = f"{endpoints.urls(port)['cloudflare']}/zones/none"
    assert (raised.value.details() or "").startswith(f'failed to make http request: GET "{path}": 404 Not Found {{')


def test_a_plugin_without_a_running_world_fails(tmp_path: Path) -> None:
    with launched(tmp_path, "hcloud") as launcher:
        _, errors = launcher.communicate(timeout=SECONDS)
    assert launcher.returncode == 1
    assert errors == "the simulated provider hcloud is not served: the world is down\n"


def test_the_error_names_a_provider_that_is_not_simulated(folder: Path) -> None:
    with launched(folder, "aws") as launcher:
        _, errors = launcher.communicate(timeout=SECONDS)
    assert launcher.returncode == 1
    assert errors.startswith("no simulated provider 'aws'; there are hcloud, cloudflare")
