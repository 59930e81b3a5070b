"""The quota of the app namespace holds at the autoscaler's maximum during a release, and for one failed node."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.unit.capture import Capture, Registration
from tests.unit.registrations import app_pods

UNITS = {"": 1.0, "m": 0.001, "Mi": 2.0**20, "Gi": 2.0**30}


def amount(quantity: str) -> float:
    """A quantity of Kubernetes as a number: of CPUs, bytes or pods."""
    match = re.fullmatch(r"(\d+)(\D*)", quantity)
    assert match, quantity
    return int(match[1]) * UNITS[match[2]]


def replicas(program: Capture, resource: Registration) -> int:
    """The most replicas of a Deployment or Job, without those of a release."""
    for autoscaler in program.resources("HorizontalPodAutoscaler"):
        if autoscaler.inputs["spec"]["scaleTargetRef"]["name"] == resource.name:
            return int(autoscaler.inputs["spec"]["maxReplicas"])
    return int(resource.inputs["spec"].get("replicas", 1))


def used(program: Capture) -> Iterator[tuple[str, float]]:
    """What all apps use while a release replaces every pod: the old pods terminate, and one new pod is in excess."""
    for resource, template in app_pods(program):
        strategy = resource.inputs["spec"].get("strategy", {})
        surge = int(strategy.get("rollingUpdate", {}).get("maxSurge", 0))
        count = 2 * replicas(program, resource) + surge
        yield "pods", count
        for container in template["spec"]["containers"]:
            for bound, values in container["resources"].items():
                yield from ((f"{bound}.{name}", count * amount(value)) for name, value in values.items())


def quota(program: Capture) -> Mapping[str, Any]:
    hard: Mapping[str, Any] = program.resource("ResourceQuota", "honeydue").inputs["spec"]["hard"]
    return hard


def test_the_quota_holds_at_the_maximum_of_the_autoscaler_during_a_release(program: Capture) -> None:
    total: Counter[str] = Counter()
    for name, value in used(program):
        total[name] += value  # type: ignore[assignment]
    hard = {name: amount(value) for name, value in quota(program).items()}
    assert hard.keys() == total.keys()
    for name, value in total.items():
        # Some more, but not enough for a mistake.
        assert value <= hard[name] <= value * 1.2, name


def test_a_container_of_an_app_is_within_the_limits_of_a_container(program: Capture) -> None:
    (limits,) = program.resource("LimitRange", "honeydue").inputs["spec"]["limits"]
    assert limits["type"] == "Container"
    for resource, template in app_pods(program):
        for container in template["spec"]["containers"]:
            for name, value in container["resources"]["limits"].items():
                assert amount(value) <= amount(limits["max"][name]), resource.urn
    # The API server refuses a quota that a pod without resources could not meet.
    assert limits["default"].keys() == limits["defaultRequest"].keys() == limits["max"].keys()
    for name, value in limits["defaultRequest"].items():
        assert amount(value) <= amount(limits["default"][name]) <= amount(limits["max"][name])
