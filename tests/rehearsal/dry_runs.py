"""Objects for the API server to admit or to refuse, as a dry run, which stores nothing."""

import json
from collections.abc import Mapping
from typing import Any

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal.errors import RehearsalError
from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE

OWN_IMAGE = "gitea.treytartt.com/admin/honeydue-api:12b2f9d43b"
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def pod(image: str = OWN_IMAGE, *, security: Mapping[str, object] | None = None, **spec: object) -> dict[str, Any]:
    """A pod spec that meets the restricted Pod Security Standard, with changes."""
    return {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "app", "image": image, "securityContext": {**RESTRICTED, **(security or {})}}],
        "restartPolicy": "Never",
        **spec,
    }


def manifest(kind: str, spec: Mapping[str, Any], *, name: str = "probe", namespace: str = NAMESPACE) -> dict[str, Any]:
    """An object of this kind with this pod spec."""
    template = {"metadata": {"labels": {"app": "probe"}}, "spec": dict(spec)}
    with_selector = {
        "selector": {"matchLabels": {"app": "probe"}},
        "template": {**template, "spec": {**spec, "restartPolicy": "Always"}},
    }
    job = {"template": template}
    version, content = {
        "Pod": ("v1", spec),
        "Deployment": ("apps/v1", with_selector),
        "DaemonSet": ("apps/v1", with_selector),
        "StatefulSet": ("apps/v1", {**with_selector, "serviceName": "probe"}),
        "ReplicaSet": ("apps/v1", with_selector),
        "Job": ("batch/v1", job),
        "CronJob": ("batch/v1", {"schedule": "0 3 * * *", "jobTemplate": {"spec": job}}),
    }[kind]
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": content}


def dry_run(world: World, content: Mapping[str, Any]) -> None:
    """Creates an object as a dry run: the API server checks it and stores nothing."""
    world.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(content))


class NotRefusedError(Exception):
    """The API server accepted an object that it must refuse."""


@retry(retry=retry_if_exception_type(NotRefusedError), stop=stop_after_delay(20), wait=wait_fixed(0.2), reraise=True)
def refusal(world: World, content: Mapping[str, Any]) -> str:
    """The message of the refusal. Retries, as the API server applies a new policy with a delay."""
    try:
        dry_run(world, content)
    except RehearsalError as error:
        return str(error)
    raise NotRefusedError
