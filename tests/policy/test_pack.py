"""The CrossGuard policy pack in its own process, called with the engine's protocol."""

import subprocess
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from ops.engine.sentinels import UNKNOWN
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


def goal_state(program: Capture) -> dict[str, Any]:
    """The resources that a program declares, as the engine passes them to a policy, by short name."""
    return {
        f"{registration.kind}::{registration.name}": analyzer_pb2.AnalyzerResource(
            urn=registration.urn,
            type=registration.type,
            name=registration.name,
            properties=registration.request.object,
            dependencies=registration.request.dependencies,
            options=analyzer_pb2.AnalyzerResourceOptions(protect=registration.request.protect),
        )
        for registration in program.registrations
    }


def violations(pack: analyzer_pb2_grpc.AnalyzerStub, resources: dict[str, Any]) -> set[tuple[str, str]]:
    """Name of the policy and URN of the resource of each violation."""
    response = pack.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources.values()))
    assert all(diagnostic.enforcementLevel == analyzer_pb2.MANDATORY for diagnostic in response.diagnostics)
    return {(diagnostic.policyName, diagnostic.urn) for diagnostic in response.diagnostics}


def test_the_pack_names_and_describes_its_policies(pack: analyzer_pb2_grpc.AnalyzerStub) -> None:
    descriptions = {policy.name: policy.description for policy in pack.GetAnalyzerInfo(Empty()).policies}
    assert descriptions.keys() == {"stays-protected", "migration-first", "no-unavailable-pods"}
    assert all(description.startswith("Guard rail: ") for description in descriptions.values())


def test_the_goal_state_of_production_has_no_violations(
    pack: analyzer_pb2_grpc.AnalyzerStub, production: Capture
) -> None:
    assert violations(pack, goal_state(production)) == set()


def test_each_policy_reports_its_violation(pack: analyzer_pb2_grpc.AnalyzerStub, example: Capture) -> None:
    resources = goal_state(example)
    server, api, web = resources["Server::hetzner1"], resources["Deployment::api"], resources["Deployment::web"]
    server.options.protect = False
    job = resources["Job::migrate"].urn
    api.dependencies.remove(job)
    web.properties["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] = 1
    assert violations(pack, resources) == {
        ("stays-protected", server.urn),
        ("migration-first", api.urn),
        ("no-unavailable-pods", web.urn),
    }


def test_an_unknown_value_does_not_end_a_policy(pack: analyzer_pb2_grpc.AnalyzerStub, example: Capture) -> None:
    """In a first preview, the checksum of a file may depend on a resource that does not exist yet."""
    resources = goal_state(example)
    api, web = resources["Deployment::api"], resources["Deployment::web"]
    api.properties["spec"]["template"]["metadata"]["annotations"]["honeydue/reads"] = UNKNOWN
    api.properties["spec"]["template"]["spec"]["containers"][0]["args"] = [UNKNOWN]
    web.properties["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] = 1
    assert violations(pack, resources) == {("no-unavailable-pods", web.urn)}
