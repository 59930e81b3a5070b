"""What was adopted stays as it lives, and everything that must agree with it does."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.capture import Capture, example_settings, run

THEIRS = {"app": "honeydue-api", "app.kubernetes.io/name": "backend"}
VOLUME = {"claim": "data-of-redis", "storageClass": "fast", "storage": "2Gi", "volume": "pvc-1"}
ADOPTED = {"selectors": {"api": THEIRS}, "clusterIps": {"api": "10.43.167.83"}, "volumes": {"redis": VOLUME}}


@pytest.fixture(scope="module")
def adopted() -> Capture:
    return run({**example_settings(), "honeydue:adopted": ADOPTED})


def spec(program: Capture, kind: str, name: str) -> Any:
    return program.one(kind, name).inputs["spec"]


def test_the_deployment_keeps_its_selector_and_its_pods_carry_ours_too(adopted: Capture) -> None:
    deployment = spec(adopted, "Deployment", "api")
    assert deployment["selector"]["matchLabels"] == THEIRS
    labels = deployment["template"]["metadata"]["labels"]
    assert THEIRS.items() <= labels.items()
    assert labels["app.kubernetes.io/part-of"] == "honeydue"


def test_whatever_finds_its_pods_finds_the_old_ones_too(adopted: Capture) -> None:
    assert spec(adopted, "Service", "api")["selector"] == THEIRS
    assert spec(adopted, "PodDisruptionBudget", "api")["selector"]["matchLabels"] == THEIRS
    assert spec(adopted, "NetworkPolicy", "api")["podSelector"]["matchLabels"] == THEIRS
    pod = spec(adopted, "Deployment", "api")["template"]["spec"]
    assert pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"] == THEIRS
    (preferred,) = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["podAffinityTerm"]["labelSelector"]["matchLabels"] == THEIRS


def test_whoever_talks_to_it_means_the_same_pods(adopted: Capture) -> None:
    def peers(rules: list[Mapping[str, Any]], side: str) -> list[Any]:
        return [peer.get("podSelector", {}).get("matchLabels") for rule in rules for peer in rule[side]]

    assert THEIRS in peers(spec(adopted, "NetworkPolicy", "redis")["ingress"], "from")
    assert THEIRS in peers(spec(adopted, "NetworkPolicy", "web")["egress"], "to")


def test_no_label_that_was_adopted_is_asked_for_in_our_words(adopted: Capture) -> None:
    ours = {"app.kubernetes.io/name": "api"}
    assert [one.urn for one in adopted.registrations if any(found == ours for found in selectors(one.inputs))] == []


def selectors(value: object) -> list[object]:
    """Every map of labels that something is selected by."""
    match value:
        case dict():
            own = [one for key, one in value.items() if key in {"matchLabels", "selector"}]
            return own + [found for one in value.values() for found in selectors(one)]
        case list():
            return [found for one in value for found in selectors(one)]
        case _:
            return []


def test_the_service_keeps_its_address(adopted: Capture, example: Capture) -> None:
    assert spec(adopted, "Service", "api")["clusterIP"] == "10.43.167.83"
    assert "clusterIP" not in spec(adopted, "Service", "web")
    assert "clusterIP" not in spec(example, "Service", "api")


def test_redis_keeps_its_claim_and_mounts_it(adopted: Capture) -> None:
    claim = adopted.one("PersistentVolumeClaim", "redis-data").inputs
    assert claim["metadata"]["name"] == "data-of-redis"
    assert (claim["spec"]["storageClassName"], claim["spec"]["volumeName"]) == ("fast", "pvc-1")
    assert claim["spec"]["resources"] == {"requests": {"storage": "2Gi"}}
    volumes = spec(adopted, "Deployment", "redis")["template"]["spec"]["volumes"]
    assert {"claimName": "data-of-redis"} in [one.get("persistentVolumeClaim") for one in volumes]


def test_nothing_else_differs(adopted: Capture, example: Capture) -> None:
    before, after = objects(example), objects(adopted)
    assert before.keys() == after.keys()
    changed = {name for (kind, name), inputs in after.items() if inputs != before[kind, name]}
    # api itself and who talks to it; redis, whose claim it is.
    assert changed == {"api", "redis", "redis-data", "web", "admin"}


def objects(program: Capture) -> Mapping[tuple[str, str], object]:
    """What Kubernetes gets, by kind and name."""
    return {(one.kind, one.name): one.inputs for one in program.registrations if one.type.startswith("kubernetes:")}


def test_a_deployment_under_an_autoscaler_leaves_its_count_to_it(program: Capture) -> None:
    ignoring = {one.name for one in program.of("Deployment") if "spec.replicas" in one.request.ignoreChanges}
    scaled = {one.inputs["spec"]["scaleTargetRef"]["name"] for one in program.of("HorizontalPodAutoscaler")}
    assert ignoring == scaled & {one.name for one in program.of("Deployment")}


def test_no_secret_changes_its_type(program: Capture) -> None:
    assert all(list(one.request.ignoreChanges) == ["type"] and one.inputs["type"] for one in program.of("Secret"))
