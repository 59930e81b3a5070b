"""The API server refuses unsafe objects in the namespace of the apps, and accepts valid ones."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from infra.settings.monitoring import MonitoringImages
from rehearsal.errors import RehearsalError
from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE
from tests.rehearsal.dry_runs import OWN_IMAGE, RESTRICTED, dry_run, manifest, pod, refusal
from tests.rehearsal.templates import EVERY_OPTION

DIGEST = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with all optional settings, which has all policies."""
    with EVERY_OPTION.clone(tmp_path_factory.mktemp("worlds") / "every-option") as world:
        yield world


ANNOTATION = "traefik.ingress.kubernetes.io/router"
MIDDLEWARES = ",".join(
    f"honeydue-{name}@kubernetescrd" for name in ("cloudflare-only", "security-headers", "rate-limit", "retry")
)


def ingress(
    *hosts: str, tls: list[str], annotations: Mapping[str, str | None] | None = None, **spec: object
) -> dict[str, Any]:
    """An Ingress with the required annotations, changed by `annotations`. None removes one."""
    required = {"entrypoints": "websecure", "tls": "true", "middlewares": MIDDLEWARES}
    backend = {"service": {"name": "api", "port": {"number": 8000}}}
    paths = {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}
    tls_section = {"tls": [{"hosts": tls, "secretName": "cloudflare-origin-cert"}]} if tls else {}
    rules = {"rules": [{"host": host, "http": paths} for host in hosts]} if hosts else {}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": "probe",
            "namespace": NAMESPACE,
            "annotations": {
                f"{ANNOTATION}.{name}": value for name, value in {**required, **(annotations or {})}.items() if value
            },
        },
        "spec": {"ingressClassName": "traefik", **rules, **tls_section, **spec},
    }


KINDS = ("Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob")


@pytest.mark.parametrize("kind", KINDS)
def test_a_valid_object_is_accepted(production: World, kind: str) -> None:
    for image in (OWN_IMAGE, "redis:7-alpine", f"redis@{DIGEST}", f"{OWN_IMAGE}@{DIGEST}"):
        dry_run(production, manifest(kind, pod(image)))


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_from_another_registry_is_refused_in_every_kind(production: World, kind: str) -> None:
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
def test_an_image_with_a_similar_name_is_refused(production: World, image: str) -> None:
    assert "only images from" in refusal(production, manifest("Deployment", pod(image)))


@pytest.mark.parametrize("image", ["redis", "redis:latest", OWN_IMAGE.rpartition(":")[0], f"redis:latest@{DIGEST}"])
def test_an_image_without_a_fixed_version_is_refused(production: World, image: str) -> None:
    assert f"an image needs a tag other than latest, or a digest: {image}" in refusal(
        production, manifest("Deployment", pod(image))
    )


def test_the_rules_apply_to_init_containers(production: World) -> None:
    init_container = {"name": "init", "image": "nginx:1.27", "securityContext": RESTRICTED}
    assert "not nginx:1.27" in refusal(production, manifest("Pod", pod(initContainers=[init_container])))


def test_the_rules_apply_to_ephemeral_containers(production: World) -> None:
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
    ("spec", "message"),
    [
        (pod(volumes=[{"name": "node", "hostPath": {"path": "/"}}]), "no volume may be a path of the node (hostPath)"),
        (pod(hostNetwork=True), "no pod may use a namespace of the node (hostNetwork)"),
        (pod(hostPID=True), "no pod may use a namespace of the node (hostPID)"),
        (pod(hostIPC=True), "no pod may use a namespace of the node (hostIPC)"),
        (pod(security={"privileged": True, "allowPrivilegeEscalation": True}), "no container may be privileged"),
    ],
)
def test_access_to_the_node_is_refused_in_the_workload_and_not_only_in_its_pods(
    production: World, spec: dict[str, Any], message: str
) -> None:
    for kind in ("Deployment", "CronJob"):
        assert message in refusal(production, manifest(kind, spec))


IMAGES = MonitoringImages()


def test_monitoring_runs_its_own_images_without_access_to_the_host(production: World) -> None:
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        dry_run(production, manifest(kind, pod(IMAGES.vmagent), namespace="monitoring"))
        for image in (OWN_IMAGE, IMAGES.node_exporter):
            invalid = manifest(kind, pod(image), namespace="monitoring")
            assert f"run here, not {image}" in refusal(production, invalid)
        host = manifest(kind, pod(IMAGES.vmagent, hostNetwork=True), namespace="monitoring")
        assert "no pod may use a namespace of the node (hostNetwork)" in refusal(production, host)


def test_an_ingress_without_tls_for_every_host_is_refused(production: World) -> None:
    dry_run(production, ingress("a.myhoneydue.com", tls=["a.myhoneydue.com"]))
    for invalid in (
        ingress("a.myhoneydue.com", tls=[]),
        ingress("a.myhoneydue.com", "b.myhoneydue.com", tls=["a.myhoneydue.com"]),
        ingress(tls=["a.myhoneydue.com"], defaultBackend={"service": {"name": "api", "port": {"number": 8000}}}),
    ):
        assert "every host must stand under tls" in refusal(production, invalid)


def service(**spec: object) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "probe", "namespace": NAMESPACE},
        "spec": {"selector": {"app": "probe"}, "ports": [{"port": 8000}], **spec},
    }


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"type": "LoadBalancer"}, "a Service needs the type ClusterIP, not LoadBalancer"),
        ({"type": "NodePort"}, "a Service needs the type ClusterIP, not NodePort"),
        ({"type": "ExternalName", "externalName": "169.254.169.254.nip.io"}, "ClusterIP, not ExternalName"),
        ({"externalIPs": ["178.104.247.152"]}, "a Service must not have externalIPs: 178.104.247.152"),
    ],
)
def test_a_service_that_takes_over_traffic_is_refused(production: World, spec: dict[str, object], message: str) -> None:
    dry_run(production, service())
    dry_run(production, service(clusterIP="None"))
    assert message in refusal(production, service(**spec))


def network_policy(**spec: object) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "probe", "namespace": NAMESPACE},
        "spec": {"podSelector": {"matchLabels": {"app": "probe"}}, **spec},
    }


def internet(**block: object) -> list[dict[str, Any]]:
    return [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", **block}}]}]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]}, "needs matchLabels in its podSelector"),
        ({"ingress": [{}]}, "every rule of a NetworkPolicy needs peers (from, to)"),
        ({"egress": [{}]}, "every rule of a NetworkPolicy needs peers (from, to)"),
        ({"egress": internet()}, "the metadata service, must except it"),
        ({"egress": internet(**{"except": ["10.0.0.0/8"]})}, "the metadata service, must except it"),
    ],
)
def test_a_network_policy_that_reverses_the_default_is_refused(
    production: World, spec: dict[str, object], message: str
) -> None:
    dry_run(production, network_policy(egress=internet(**{"except": ["169.254.0.0/16"]})))
    assert message in refusal(production, network_policy(**spec))


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({"entrypoints": None}, f"needs the annotations {ANNOTATION}.entrypoints: websecure and"),
        ({"entrypoints": "metrics"}, f"needs the annotations {ANNOTATION}.entrypoints: websecure and"),
        ({"entrypoints": "websecure,metrics"}, f"needs the annotations {ANNOTATION}.entrypoints: websecure and"),
        ({"tls": "false"}, f'{ANNOTATION}.tls: "true"'),
        ({"tls": None}, f'{ANNOTATION}.tls: "true"'),
        ({"middlewares": None}, f"must begin with {MIDDLEWARES}"),
        ({"middlewares": "honeydue-retry@kubernetescrd"}, f"must begin with {MIDDLEWARES}"),
        ({"middlewares": f"{MIDDLEWARES}x"}, f"must begin with {MIDDLEWARES}"),
        ({"tls.options": "honeydue-other@kubernetescrd"}, "may have no other annotation of Traefik"),
    ],
)
def test_an_ingress_that_avoids_port_443_or_the_middlewares_is_refused(
    production: World, annotations: Mapping[str, str | None], message: str
) -> None:
    host = "a.myhoneydue.com"
    dry_run(
        production,
        ingress(host, tls=[host], annotations={"middlewares": f"{MIDDLEWARES},honeydue-admin-auth@kubernetescrd"}),
    )
    assert message in refusal(production, ingress(host, tls=[host], annotations=annotations))


def test_the_admission_policies_pass_the_type_check(production: World) -> None:
    for policy in production.kubectl_json("get", "validatingadmissionpolicies")["items"]:
        assert policy["status"]["observedGeneration"] == policy["metadata"]["generation"]
        assert policy["status"]["typeChecking"] == {}, policy["metadata"]["name"]


@pytest.mark.parametrize("image", ["nginx:1.27", OWN_IMAGE])
def test_pod_security_is_restricted_in_the_namespace_and_not_in_kube_system(production: World, image: str) -> None:
    privileged = manifest("Pod", pod(image, security={"privileged": True, "allowPrivilegeEscalation": True}))
    with pytest.raises(RehearsalError, match='violates PodSecurity "restricted'):
        dry_run(production, privileged)
    dry_run(production, {**privileged, "metadata": {"name": "probe", "namespace": "kube-system"}})


def test_every_namespace_has_a_network_policy_and_a_default_service_account_without_a_token(production: World) -> None:
    namespaces = {namespace["metadata"]["name"] for namespace in production.kubectl_json("get", "namespaces")["items"]}
    policies = {
        policy["metadata"]["namespace"] for policy in production.kubectl_json("get", "networkpolicies", "-A")["items"]
    }
    tokens = {
        account["metadata"]["namespace"]: account.get("automountServiceAccountToken")
        for account in production.kubectl_json("get", "serviceaccounts", "-A")["items"]
        if account["metadata"]["name"] == "default"
    }
    assert policies == namespaces
    assert tokens == dict.fromkeys(namespaces, False)
