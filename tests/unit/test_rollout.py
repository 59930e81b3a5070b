"""An update of a Deployment ends when its rollout is complete."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import pytest

from infra.cluster import rollout
from infra.cluster.rollout import FailedRolloutError, IncompleteRolloutError, check_rollout, wait_for_rollout
from tests.unit.capture import Capture
from tests.unit.kubernetes_api import CONTEXT, Response, api_server

NAMESPACE, NAME = "honeydue", "api"
PATH = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}"
COMPLETE = {"observedGeneration": 7, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}


def deployment(status: Mapping[str, Any]) -> Response:
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": NAME}}, "template": {"spec": {"containers": []}}}
    return HTTPStatus.OK, {"metadata": {"name": NAME, "generation": 7}, "spec": spec, "status": status}


def progressing(status: str, reason: str) -> Mapping[str, Any]:
    condition = {"type": "Progressing", "status": status, "reason": reason, "message": "ReplicaSet has timed out"}
    return {"conditions": [condition]}


def test_every_update_of_a_deployment_waits(program: Capture) -> None:
    hooks = {resource.name: tuple(resource.request.hooks.after_update) for resource in program.resources("Deployment")}
    assert set(hooks.values()) == {("rollout-is-complete",)}, hooks


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"observedGeneration": 6}, "has not observed the change"),
        ({"observedGeneration": None}, "has not observed the change"),
        ({"updatedReplicas": 1}, "1 of 3 new pods exist"),
        ({"replicas": 4}, "4 pods exist, and 3 of them are new"),
        ({"availableReplicas": 2}, "2 of 3 new pods are available"),
    ],
)
def test_a_rollout_that_is_not_complete(change: Mapping[str, Any], problem: str) -> None:
    condition = progressing("True", "ReplicaSetUpdated")
    responses = {PATH: deployment({**COMPLETE, **change, **condition})}
    with api_server(responses) as config, pytest.raises(IncompleteRolloutError, match=problem):
        check_rollout(NAMESPACE, NAME, kubeconfig=config, context=CONTEXT)


def test_a_deployment_without_a_status_is_not_complete() -> None:
    with api_server({PATH: deployment({})}) as config, pytest.raises(IncompleteRolloutError):
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
