"""A restriction that an `up` changes together with the pods does not stop the pods that still run."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from infra.cluster.pod_admission import CONTROLLERS
from infra.names import NAMESPACE
from tests.unit.capture import Capture, Registration, run
from tests.unit.registrations import dependencies_of, namespace_of

INTERNET = "0.0.0.0/0"
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"


def egress_to_the_internet(policy: Registration) -> list[Mapping[str, Any]]:
    rules = policy.inputs["spec"].get("egress", [])
    return [rule for rule in rules if any(peer.get("ipBlock", {}).get("cidr") == INTERNET for peer in rule["to"])]


def policies_of(program: Capture, deployment: Registration) -> list[Registration]:
    """The NetworkPolicies for the egress of the pods of a Deployment."""
    selector = deployment.inputs["spec"]["selector"]["matchLabels"]
    return [
        policy
        for policy in program.resources("NetworkPolicy")
        if policy.inputs["spec"]["podSelector"].get("matchLabels") == selector
        and "Egress" in policy.inputs["spec"]["policyTypes"]
    ]


def app_deployments(program: Capture) -> list[Registration]:
    return [deployment for deployment in program.resources("Deployment") if namespace_of(deployment) == NAMESPACE]


def test_egress_to_the_internet_is_added_before_a_rollout_and_removed_after_it(program: Capture) -> None:
    apps = set()
    for deployment in app_deployments(program):
        before: list[Registration] = []
        after: list[Registration] = []
        for policy in policies_of(program, deployment):
            (before if policy.urn in dependencies_of(program, deployment) else after).append(policy)
        (first,) = before
        if rules := egress_to_the_internet(first):
            (last,) = after
            assert last.inputs["spec"]["policyTypes"] == ["Egress"]
            assert last.inputs["spec"]["egress"] == rules, deployment.urn
            assert deployment.urn in last.request.dependencies
            apps.add(deployment.name)
        else:
            assert after == [], deployment.urn
    assert {"api", "worker"} <= apps


def ports(policy: Registration) -> set[float]:
    return {port["port"] for rule in egress_to_the_internet(policy) for port in rule["ports"]}


@pytest.mark.parametrize("app", ["api", "worker"])
def test_the_port_of_the_database_changes_in_both_policies(program: Capture, app: str) -> None:
    database = {**program.settings["honeydue:database"], "port": 6543}
    changed = run({**program.settings, "honeydue:database": database})
    for capture, port in ((program, program.settings["honeydue:database"].get("port", 5432)), (changed, 6543)):
        for policy in policies_of(capture, capture.resource("Deployment", app)):
            assert port in ports(policy), policy.urn


def test_another_registry_is_allowed_before_the_first_pod_with_its_images(program: Capture) -> None:
    images = {**program.settings["honeydue:images"], "registry": "docker.io/honeydue"}
    changed = run({**program.settings, "honeydue:images": images})
    policy, binding = (changed.resource(kind, "honeydue-pods") for kind in (POLICY, BINDING))
    first = policy.inputs["spec"]["validations"][0]["expression"]
    (pattern,) = re.findall(r'matches\("(.*)"\)', first)
    for workload in (*app_deployments(changed), changed.resource("Job", "migrate")):
        (container,) = workload.inputs["spec"]["template"]["spec"]["containers"]
        assert re.match(pattern.replace("\\\\", "\\"), container["image"]), workload.urn
        assert {policy.urn, binding.urn} <= dependencies_of(changed, workload)


def test_every_admission_policy_lets_objects_be_deleted(program: Capture) -> None:
    """Controllers remove finalizers by updates. A status is a subresource, which no policy matches."""
    for policy in program.resources(POLICY):
        spec = policy.inputs["spec"]
        conditions = {condition["name"]: condition["expression"] for condition in spec["matchConditions"]}
        assert "oldObject.metadata.deletionTimestamp" in conditions["not-being-deleted"], policy.urn
        for rule in spec["matchConstraints"]["resourceRules"]:
            assert not any(resource.endswith(("/status", "*")) for resource in rule["resources"]), policy.urn


def test_images_are_validated_for_everybody_but_the_controllers_of_declared_kinds(program: Capture) -> None:
    """The owners are validated: without that, a controller could start any image."""
    spec = program.resource(POLICY, "honeydue-pods").inputs["spec"]
    validated = {name for rule in spec["matchConstraints"]["resourceRules"] for name in rule["resources"]}
    variables = {variable["name"]: variable["expression"] for variable in spec["variables"]}
    assert "request.operation == 'CREATE' && request.userInfo.username in [" in variables["newImages"]
    assert {name.rpartition(":")[2].removesuffix("-controller") + "s" for name in CONTROLLERS} == {
        "deployments",
        "replicasets",
        "statefulsets",
        "daemon-sets",
        "jobs",
        "cronjobs",
    }
    assert {"pods", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs"} <= validated


def test_node_exporter_starts_after_traefik_has_its_values(full_example: Capture) -> None:
    """Both use the same port of the nodes until then."""
    (chart,) = (chart for chart in full_example.resources("HelmChartConfig") if chart.name == "traefik")
    (exporter,) = (item for item in full_example.resources("DaemonSet") if item.name == "node-exporter")
    assert chart.urn in dependencies_of(full_example, exporter)
