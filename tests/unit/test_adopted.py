"""Immutable fields of adopted objects are declared as they exist, and all references agree with them."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.capture import Capture, example_settings, run

EXISTING_LABELS = {"app": "honeydue-api", "app.kubernetes.io/name": "backend"}
VOLUME = {"claim": "data-of-redis", "storageClass": "fast", "storage": "2Gi", "volume": "pvc-1"}
ADOPTED = {"selectors": {"api": EXISTING_LABELS}, "clusterIps": {"api": "10.43.167.83"}, "volumes": {"redis": VOLUME}}


@pytest.fixture(scope="module")
def adopted() -> Capture:
    return run({**example_settings(), "honeydue:adopted": ADOPTED})


def spec(program: Capture, kind: str, name: str) -> Any:
    return program.resource(kind, name).inputs["spec"]


def test_a_deployment_keeps_its_selector_and_its_pods_have_both_labels(adopted: Capture) -> None:
    deployment = spec(adopted, "Deployment", "api")
    assert deployment["selector"]["matchLabels"] == EXISTING_LABELS
    labels = deployment["template"]["metadata"]["labels"]
    assert EXISTING_LABELS.items() <= labels.items()
    assert labels["app.kubernetes.io/part-of"] == "honeydue"


def test_every_selector_of_the_app_uses_the_existing_labels(adopted: Capture) -> None:
    assert spec(adopted, "Service", "api")["selector"] == EXISTING_LABELS
    assert spec(adopted, "PodDisruptionBudget", "api")["selector"]["matchLabels"] == EXISTING_LABELS
    assert spec(adopted, "NetworkPolicy", "api")["podSelector"]["matchLabels"] == EXISTING_LABELS
    pod = spec(adopted, "Deployment", "api")["template"]["spec"]
    assert pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"] == EXISTING_LABELS
    (preferred,) = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["podAffinityTerm"]["labelSelector"]["matchLabels"] == EXISTING_LABELS


def test_network_policies_of_other_apps_use_the_existing_labels(adopted: Capture) -> None:
    def peers(rules: list[Mapping[str, Any]], side: str) -> list[Any]:
        return [peer.get("podSelector", {}).get("matchLabels") for rule in rules for peer in rule[side]]

    assert EXISTING_LABELS in peers(spec(adopted, "NetworkPolicy", "redis")["ingress"], "from")
    assert EXISTING_LABELS in peers(spec(adopted, "NetworkPolicy", "web")["egress"], "to")


def test_no_selector_uses_the_default_labels_of_an_adopted_app(adopted: Capture) -> None:
    default_labels = {"app.kubernetes.io/name": "api"}
    assert [
        resource.urn
        for resource in adopted.registrations
        if any(labels == default_labels for labels in selectors(resource.inputs))
    ] == []


def selectors(value: object) -> list[object]:
    """Every map of labels that is used as a selector."""
    match value:
        case dict():
            direct = [item for key, item in value.items() if key in {"matchLabels", "selector"}]
            return direct + [labels for item in value.values() for labels in selectors(item)]
        case list():
            return [labels for item in value for labels in selectors(item)]
        case _:
            return []


def test_a_service_keeps_its_cluster_ip(adopted: Capture, example: Capture) -> None:
    assert spec(adopted, "Service", "api")["clusterIP"] == "10.43.167.83"
    assert "clusterIP" not in spec(adopted, "Service", "web")
    assert "clusterIP" not in spec(example, "Service", "api")


def test_redis_keeps_and_mounts_its_volume_claim(adopted: Capture) -> None:
    claim = adopted.resource("PersistentVolumeClaim", "redis-data").inputs
    assert claim["metadata"]["name"] == "data-of-redis"
    assert (claim["spec"]["storageClassName"], claim["spec"]["volumeName"]) == ("fast", "pvc-1")
    assert claim["spec"]["resources"] == {"requests": {"storage": "2Gi"}}
    volumes = spec(adopted, "Deployment", "redis")["template"]["spec"]["volumes"]
    assert {"claimName": "data-of-redis"} in [volume.get("persistentVolumeClaim") for volume in volumes]


def test_only_adopted_objects_and_their_clients_change(adopted: Capture, example: Capture) -> None:
    before, after = objects(example), objects(adopted)
    assert before.keys() == after.keys()
    changed = {name for (kind, name), inputs in after.items() if inputs != before[kind, name]}
    # web and admin connect to api. redis mounts the claim.
    assert changed == {"api", "api-running", "redis", "redis-data", "web", "admin"}


def objects(program: Capture) -> Mapping[tuple[str, str], object]:
    """The inputs of each Kubernetes object, by kind and name."""
    return {
        (resource.kind, resource.name): resource.inputs
        for resource in program.registrations
        if resource.type.startswith("kubernetes:")
    }


def test_a_deployment_with_an_autoscaler_ignores_changes_of_replicas(program: Capture) -> None:
    ignoring = {
        resource.name
        for resource in program.resources("Deployment")
        if "spec.replicas" in resource.request.ignoreChanges
    }
    scaled = {
        resource.inputs["spec"]["scaleTargetRef"]["name"] for resource in program.resources("HorizontalPodAutoscaler")
    }
    assert ignoring == scaled & {resource.name for resource in program.resources("Deployment")}


def test_every_secret_has_a_type_and_ignores_changes_of_it(program: Capture) -> None:
    assert all(
        list(resource.request.ignoreChanges) == ["type"] and resource.inputs["type"]
        for resource in program.resources("Secret")
    )
