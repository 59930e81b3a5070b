"""What the API server refuses in the product's namespace, and that it takes what is right."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal.errors import RehearsalError
from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE

OURS = "gitea.treytartt.com/admin/honeydue-api:12b2f9d43b"
DIGEST = "sha256:" + "0" * 64
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def pod(image: str = OURS, *, security: Mapping[str, object] | None = None, **spec: object) -> dict[str, Any]:
    """A pod that Pod Security *restricted* takes, but for what is added."""
    return {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "app", "image": image, "securityContext": {**RESTRICTED, **(security or {})}}],
        "restartPolicy": "Never",
        **spec,
    }


def manifest(kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Something that makes this pod."""
    template = {"metadata": {"labels": {"app": "probe"}}, "spec": dict(spec)}
    selected = {
        "selector": {"matchLabels": {"app": "probe"}},
        "template": {**template, "spec": {**spec, "restartPolicy": "Always"}},
    }
    job = {"template": template}
    version, content = {
        "Pod": ("v1", spec),
        "Deployment": ("apps/v1", selected),
        "DaemonSet": ("apps/v1", selected),
        "StatefulSet": ("apps/v1", {**selected, "serviceName": "probe"}),
        "ReplicaSet": ("apps/v1", selected),
        "Job": ("batch/v1", job),
        "CronJob": ("batch/v1", {"schedule": "0 3 * * *", "jobTemplate": {"spec": job}}),
    }[kind]
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "probe", "namespace": NAMESPACE}, "spec": content}


def ingress(*hosts: str, tls: list[str], **spec: object) -> dict[str, Any]:
    backend = {"service": {"name": "api", "port": {"number": 8000}}}
    paths = {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}
    covered = {"tls": [{"hosts": tls, "secretName": "cloudflare-origin-cert"}]} if tls else {}
    rules = {"rules": [{"host": host, "http": paths} for host in hosts]} if hosts else {}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "probe", "namespace": NAMESPACE},
        "spec": {"ingressClassName": "traefik", **rules, **covered, **spec},
    }


def offer(world: World, content: Mapping[str, Any]) -> None:
    """Asks the API server, which checks it all and keeps nothing."""
    world.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(content))


class Admitted(Exception):  # noqa: N818  # no error: an answer
    """What should have been refused was taken."""


@retry(retry=retry_if_exception_type(Admitted), stop=stop_after_delay(20), wait=wait_fixed(0.2), reraise=True)
def refusal(world: World, content: Mapping[str, Any]) -> str:
    """Why it is refused. A policy takes the API server a moment to take up."""
    try:
        offer(world, content)
    except RehearsalError as error:
        return str(error)
    raise Admitted


KINDS = ("Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_right_is_taken(production: World, kind: str) -> None:
    for image in (OURS, "redis:7-alpine", f"redis@{DIGEST}", f"{OURS}@{DIGEST}"):
        offer(production, manifest(kind, pod(image)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_stranger_s_image_is_refused_in_whatever_makes_a_pod(production: World, kind: str) -> None:
    assert "only images from gitea.treytartt.com/admin/ or of redis run here, not nginx:1.27" in refusal(
        production, manifest(kind, pod("nginx:1.27"))
    )


@pytest.mark.parametrize(
    "image",
    [
        "gitea.treytartt.com/other/app:1",
        "gitea.treytartt.com.evil.example/admin/app:1",
        "redislike:7",
        "redis:5000/app:1",
        "docker.io/redis:7",
    ],
)
def test_an_image_that_only_looks_like_ours_is_refused(production: World, image: str) -> None:
    assert "only images from" in refusal(production, manifest("Deployment", pod(image)))


@pytest.mark.parametrize("image", ["redis", "redis:latest", OURS.rpartition(":")[0], f"redis:latest@{DIGEST}"])
def test_an_image_that_may_move_is_refused(production: World, image: str) -> None:
    assert f"an image needs a tag other than latest, or a digest: {image}" in refusal(
        production, manifest("Deployment", pod(image))
    )


def test_init_containers_are_held_to_the_same(production: World) -> None:
    first = {"name": "first", "image": "nginx:1.27", "securityContext": RESTRICTED}
    assert "not nginx:1.27" in refusal(production, manifest("Pod", pod(initContainers=[first])))


def test_a_debugging_container_is_held_to_the_same(production: World) -> None:
    running = production.kubectl(
        "get", "pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=web", "-o", "name"
    ).split()[0]
    debug = {"name": "debug", "image": "busybox:1.36", "securityContext": {**RESTRICTED, "runAsNonRoot": True}}
    with pytest.raises(RehearsalError, match=r"not busybox:1\.36"):
        production.kubectl(
            "patch",
            running,
            "-n",
            NAMESPACE,
            "--subresource=ephemeralcontainers",
            "--dry-run=server",
            "-p",
            json.dumps({"spec": {"ephemeralContainers": [debug]}}),
        )


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (pod(volumes=[{"name": "node", "hostPath": {"path": "/"}}]), "no volume may be a path of the node (hostPath)"),
        (pod(hostNetwork=True), "no pod may use a namespace of the node (hostNetwork)"),
        (pod(hostPID=True), "no pod may use a namespace of the node (hostPID)"),
        (pod(hostIPC=True), "no pod may use a namespace of the node (hostIPC)"),
        (pod(security={"privileged": True, "allowPrivilegeEscalation": True}), "no container may be privileged"),
    ],
)
def test_what_reaches_into_the_node_is_refused_before_a_pod_is_made(
    production: World, spec: dict[str, Any], words: str
) -> None:
    for kind in ("Deployment", "CronJob"):
        assert words in refusal(production, manifest(kind, spec))


def test_an_ingress_needs_tls_for_each_of_its_hosts(production: World) -> None:
    offer(production, ingress("a.myhoneydue.com", tls=["a.myhoneydue.com"]))
    for wrong in (
        ingress("a.myhoneydue.com", tls=[]),
        ingress("a.myhoneydue.com", "b.myhoneydue.com", tls=["a.myhoneydue.com"]),
        ingress(tls=["a.myhoneydue.com"], defaultBackend={"service": {"name": "api", "port": {"number": 8000}}}),
    ):
        assert "every host must stand under tls" in refusal(production, wrong)


def test_the_policies_text_is_sound(production: World) -> None:
    for policy in production.kubectl_json("get", "validatingadmissionpolicies")["items"]:
        assert policy["status"]["observedGeneration"] == policy["metadata"]["generation"]
        assert policy["status"]["typeChecking"] == {}, policy["metadata"]["name"]


@pytest.mark.parametrize("image", ["nginx:1.27", OURS])
def test_pod_security_is_restricted_here_and_kube_system_is_exempt(production: World, image: str) -> None:
    privileged = manifest("Pod", pod(image, security={"privileged": True, "allowPrivilegeEscalation": True}))
    with pytest.raises(RehearsalError, match='violates PodSecurity "restricted'):
        offer(production, privileged)
    offer(production, {**privileged, "metadata": {"name": "probe", "namespace": "kube-system"}})


def test_every_namespace_has_a_policy_and_a_default_account_without_a_token(production: World) -> None:
    namespaces = {one["metadata"]["name"] for one in production.kubectl_json("get", "namespaces")["items"]}
    policies = {
        one["metadata"]["namespace"] for one in production.kubectl_json("get", "networkpolicies", "-A")["items"]
    }
    tokens = {
        one["metadata"]["namespace"]: one.get("automountServiceAccountToken")
        for one in production.kubectl_json("get", "serviceaccounts", "-A")["items"]
        if one["metadata"]["name"] == "default"
    }
    assert policies == namespaces
    assert tokens == dict.fromkeys(namespaces, False)
