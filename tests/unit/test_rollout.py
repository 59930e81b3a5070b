"""What depends on the rollout of a Deployment waits until it is complete."""

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import pytest
from pulumi.runtime.mocks import MockResourceArgs

from infra.cluster import rollout
from infra.cluster.rollout import FailedRolloutError, IncompleteRolloutError, check_rollout, wait_for_rollout
from tests.unit.capture import Capture, full_settings, run
from tests.unit.cloud_mocks import CloudMocks
from tests.unit.kubernetes_api import CONTEXT, Response, api_server
from tests.unit.registrations import dependencies_of

NAMESPACE, NAME = "honeydue", "api"
PATH = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}"
RECREATED = {"observedGeneration": 2, "replicas": 1}


def deployment(status: Mapping[str, Any]) -> Response:
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": NAME}}, "template": {"spec": {"containers": []}}}
    return HTTPStatus.OK, {"metadata": {"name": NAME, "generation": 7}, "spec": spec, "status": status}


def progressing(status: str, reason: str) -> Mapping[str, Any]:
    condition = {"type": "Progressing", "status": status, "reason": reason, "message": "ReplicaSet has timed out"}
    return {"conditions": [condition]}


COMPLETE = {
    "observedGeneration": 7,
    "replicas": 3,
    "updatedReplicas": 3,
    "availableReplicas": 3,
    **progressing("True", "NewReplicaSetAvailable"),
}


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Sequence[str]:
    """Returns the status of the old pods for each Deployment, and collects the resources that the program registers."""
    resources: list[str] = []
    original = CloudMocks.new_resource

    def new_resource(self: CloudMocks, resource: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        kind = resource.typ.rpartition(":")[2]
        resources.append(f"{kind}::{resource.name}")
        identifier, outputs = original(self, resource)
        if kind == "Deployment":
            outputs["metadata"] = {**outputs["metadata"], "generation": 2}
            # The second one is what the strategy Recreate leads to.
            outputs["status"] = {"observedGeneration": 1} if resource.name == NAME else {**RECREATED}
        return identifier, outputs

    monkeypatch.setattr(CloudMocks, "new_resource", new_resource)
    return resources


def names_of_deployments(resources: Sequence[str]) -> list[str]:
    return sorted(name.removeprefix("Deployment::") for name in resources if name.startswith("Deployment::"))


def test_every_update_of_a_deployment_waits(registered: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    waiting: list[str] = []

    async def wait(_: str, name: str, **__: str) -> None:
        waiting.append(name)

    monkeypatch.setattr(rollout, "wait_for_rollout", wait)
    run(full_settings())
    assert sorted(waiting) == names_of_deployments(registered)


def test_what_depends_on_a_rollout_is_not_changed_before_it_is_complete(
    registered: Sequence[str], full_example: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait(_: str, name: str, **__: str) -> None:
        if name == NAME:
            raise FailedRolloutError("a test")

    monkeypatch.setattr(rollout, "wait_for_rollout", wait)
    with pytest.raises(FailedRolloutError):
        run(full_settings())
    urn = full_example.resource("Deployment", NAME).urn
    dependents = {
        f"{resource.kind}::{resource.name}"
        for resource in full_example.registrations
        if urn in dependencies_of(full_example, resource)
    }
    assert {"NetworkPolicy::api-running", "Service::api", "Deployment::web"} <= dependents
    assert not dependents & set(registered)
    assert "Deployment::worker" in registered


def test_a_preview_and_a_complete_status_request_nothing(
    registered: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait(_: str, name: str, **__: str) -> None:
        raise AssertionError(name)

    monkeypatch.setattr(rollout, "wait_for_rollout", wait)
    run(full_settings(), preview=True)
    assert NAME in names_of_deployments(registered)
    monkeypatch.setitem(RECREATED, "updatedReplicas", 1)
    with pytest.raises(AssertionError, match=rf"\b{NAME}$"):
        run(full_settings())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"observedGeneration": 6}, "has not observed the change"),
        ({"observedGeneration": None}, "has not observed the change"),
        ({"updatedReplicas": 1}, "1 of 3 new pods exist"),
        ({"replicas": 4}, "4 pods exist, and 3 of them are new"),
        ({"availableReplicas": 2, **progressing("True", "ReplicaSetUpdated")}, "2 of 3 new pods are available"),
    ],
)
def test_a_rollout_that_is_not_complete(change: Mapping[str, Any], problem: str) -> None:
    # The condition is still that of the previous rollout.
    responses = {PATH: deployment({**COMPLETE, **change})}
    with api_server(responses) as config, pytest.raises(IncompleteRolloutError, match=problem):
        check_rollout(NAMESPACE, NAME, kubeconfig=config, context=CONTEXT)


def test_a_deployment_without_a_status_is_not_complete() -> None:
    with api_server({PATH: deployment({})}) as config, pytest.raises(IncompleteRolloutError):
        check_rollout(NAMESPACE, NAME, kubeconfig=config, context=CONTEXT)


def test_a_complete_rollout_stays_complete_when_a_node_is_lost() -> None:
    with api_server({PATH: deployment({**COMPLETE, "availableReplicas": 2})}) as config:
        check_rollout(NAMESPACE, NAME, kubeconfig=config, context=CONTEXT)


def test_it_waits_until_the_rollout_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "RETRY_SECONDS", 0.01)
    messages: list[str] = []
    monkeypatch.setattr("pulumi.log.info", messages.append)
    responses: dict[str, Response] = {PATH: (HTTPStatus.SERVICE_UNAVAILABLE, {})}

    async def complete(config: str) -> None:
        waiting = asyncio.create_task(wait_for_rollout(NAMESPACE, NAME, kubeconfig=config, context=CONTEXT))
        for response in [deployment({**COMPLETE, "observedGeneration": 6}), deployment(COMPLETE)]:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(waiting), timeout=0.2)
            responses[PATH] = response
        await asyncio.wait_for(waiting, timeout=30)

    with api_server(responses) as config:
        asyncio.run(complete(config))
    assert messages == ["Waiting for the rollout of Deployment honeydue/api"]


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (
            deployment({**COMPLETE, "updatedReplicas": 1, **progressing("False", "ProgressDeadlineExceeded")}),
            "ReplicaSet has timed out",
        ),
        ((HTTPStatus.FORBIDDEN, {}), "the API server returned 403"),
    ],
)
def test_a_failed_rollout_ends_the_update_at_once(response: Response, problem: str) -> None:
    message = rf"the rollout of Deployment honeydue/api is not complete: {problem}\. .*kubectl -n honeydue rollout"
    with api_server({PATH: response}) as config, pytest.raises(FailedRolloutError, match=message):
        asyncio.run(wait_for_rollout(NAMESPACE, NAME, kubeconfig=config, context=CONTEXT))


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(rollout, "ROLLOUT_SECONDS", 0.1)
    monkeypatch.setattr("pulumi.log.info", lambda _: None)
    with (
        api_server({PATH: deployment({**COMPLETE, "replicas": 4})}) as config,
        pytest.raises(FailedRolloutError, match="4 pods exist, and 3 of them are new"),
    ):
        asyncio.run(wait_for_rollout(NAMESPACE, NAME, kubeconfig=config, context=CONTEXT))
