"""The CrossGuard pack as the engine meets it: a process of its own, spoken to in the engine's protocol."""

import subprocess
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from tests.recipes import ROOT
from tests.unit.capture import Capture, example_settings, production_settings, run

PACK = ROOT / "policy"


@pytest.fixture(scope="module")
def production() -> Capture:
    return run(production_settings())


@pytest.fixture(scope="module")
def example() -> Capture:
    return run(example_settings())


@pytest.fixture(scope="module")
def pack() -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    with subprocess.Popen([PACK / ".venv/bin/python", PACK], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
                yield analyzer_pb2_grpc.AnalyzerStub(channel)
        finally:
            process.kill()


def goal(program: Capture) -> dict[str, Any]:
    """What production's program asks for, as the engine shows it to a policy, by the kind and name of each resource."""
    return {
        f"{one.kind}::{one.name}": analyzer_pb2.AnalyzerResource(
            urn=one.urn,
            type=one.type,
            name=one.name,
            properties=one.request.object,
            dependencies=one.request.dependencies,
            options=analyzer_pb2.AnalyzerResourceOptions(protect=one.request.protect),
        )
        for one in program.registrations
    }


def refused(pack: analyzer_pb2_grpc.AnalyzerStub, resources: dict[str, Any]) -> set[tuple[str, str]]:
    answer = pack.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources.values()))
    assert all(one.enforcementLevel == analyzer_pb2.MANDATORY for one in answer.diagnostics)
    return {(one.policyName, one.urn) for one in answer.diagnostics}


def test_it_names_its_policies_and_describes_them(pack: analyzer_pb2_grpc.AnalyzerStub) -> None:
    told = {one.name: one.description for one in pack.GetAnalyzerInfo(Empty()).policies}
    assert told.keys() == {"stays-protected", "migration-first", "no-unavailable-pods"}
    assert all(description.startswith("Guard rail: ") for description in told.values())


def test_productions_own_goal_passes(pack: analyzer_pb2_grpc.AnalyzerStub, production: Capture) -> None:
    assert refused(pack, goal(production)) == set()


def test_each_policy_refuses_what_breaks_it(pack: analyzer_pb2_grpc.AnalyzerStub, example: Capture) -> None:
    broken = goal(example)
    server, api, web = broken["Server::hetzner1"], broken["Deployment::api"], broken["Deployment::web"]
    server.options.protect = False
    job = broken["Job::migrate"].urn
    api.dependencies.remove(job)
    web.properties["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] = 1
    assert refused(pack, broken) == {
        ("stays-protected", server.urn),
        ("migration-first", api.urn),
        ("no-unavailable-pods", web.urn),
    }
