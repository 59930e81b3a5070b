"""Admission in the namespaces of monitoring: its own images, and one DaemonSet with access to the host."""

from collections.abc import Sequence
from typing import Any

import pytest

from infra.names import HOST_DAEMON_SETS
from infra.settings.monitoring import MonitoringImages
from ops.adoption.effects.images import image_rules
from tests.unit.capture import Capture, full_settings, run
from tests.unit.manifests import manifests
from tests.unit.other_workloads import SETTING
from tests.unit.registrations import states

MONITORING = "honeydue:monitoring"
NAMESPACES = ("monitoring", "node-exporter")
NODE_EXPORTER = "node_exporter"
BINDING = "ValidatingAdmissionPolicyBinding"


def program_with(changes: dict[str, Any], **others: Any) -> Capture:
    settings = full_settings()
    monitoring: Any = settings[MONITORING]
    return run({**settings, MONITORING: {**monitoring, **changes}, "honeydue:otherWorkloads": others})


def admits(program: Capture, namespace: str, image: str) -> bool:
    rules = list(image_rules(states(program), namespace))
    assert len(rules) == 2
    return all(rule.admits(image) for rule in rules)


def bindings(program: Capture, namespace: str) -> Sequence[str]:
    """The policies that are bound to a namespace."""
    return sorted(
        resource.inputs["spec"]["policyName"]
        for resource in program.resources(BINDING)
        if resource.inputs["spec"]["matchResources"]["namespaceSelector"]["matchLabels"]
        == {"kubernetes.io/metadata.name": namespace}
    )


@pytest.fixture(scope="module")
def changed_images() -> tuple[Capture, dict[str, str]]:
    """A program whose images are from a registry of their own."""
    images = {name: f"registry.example.com/copies/{name}:1" for name in MonitoringImages.model_fields}
    aliases = {field.alias or name: images[name] for name, field in MonitoringImages.model_fields.items()}
    return program_with({"images": aliases}), images


def test_each_namespace_admits_its_own_images_from_the_registry_of_the_settings(
    changed_images: tuple[Capture, dict[str, str]],
) -> None:
    program, images = changed_images
    for name, image in images.items():
        assert admits(program, "node-exporter", image) == (name == NODE_EXPORTER)
        assert admits(program, "monitoring", image) == (name != NODE_EXPORTER)
        assert not admits(program, "monitoring", image.replace(":1", ":latest"))
    for image in (f"{images['vmagent']}".replace(".com/", ".com.evil/"), "registry.example.com/copies/other:1"):
        assert not admits(program, "monitoring", image)
    assert not admits(program, "monitoring", MonitoringImages().vmagent)


def test_another_workload_is_admitted_in_its_namespace_only() -> None:
    program = program_with({}, vmagent={**SETTING, "namespace": "monitoring"})
    image = f"{SETTING['images'][0]}:v1.102.1"
    assert admits(program, "monitoring", image)
    assert not admits(program, "node-exporter", image)
    assert not admits(program, "honeydue", image)


def test_the_default_policies_of_both_namespaces_are_guarded(full_example: Capture) -> None:
    for namespace in NAMESPACES:
        assert bindings(full_example, namespace) == sorted(
            [f"{namespace}-pods", "honeydue-network-policies", "honeydue-guards"]
        )


def test_only_the_policy_of_node_exporter_admits_the_host_network(full_example: Capture) -> None:
    def expressions(namespace: str) -> str:
        policy = full_example.resource("ValidatingAdmissionPolicy", f"{namespace}-pods")
        return " ".join(validation["expression"] for validation in policy.inputs["spec"]["validations"])

    for namespace, refused in {
        "monitoring": ["hostNetwork", "hostPID", "hostIPC"],
        "node-exporter": ["hostPID", "hostIPC"],
    }.items():
        found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if name in expressions(namespace)]
        assert found == refused
    assert "object.kind == 'DaemonSet' && object.metadata.name == 'node-exporter'" in expressions("node-exporter")


def test_a_part_that_is_off_leaves_no_policy(example: Capture) -> None:
    without_exporter = program_with({"nodeExporter": False})
    assert bindings(without_exporter, "node-exporter") == []
    assert bindings(without_exporter, "monitoring")
    for namespace in NAMESPACES:
        assert bindings(example, namespace) == []
    assert not [resource.name for resource in example.registrations if resource.name.startswith(NAMESPACES)]


def test_the_only_workload_that_a_namespace_with_access_to_the_host_admits_is_the_declared_one(
    full_example: Capture,
) -> None:
    declared = [item["metadata"] for item in manifests(full_example) if item["kind"] == "DaemonSet"]
    for namespace, name in HOST_DAEMON_SETS.items():
        assert [item["name"] for item in declared if item["namespace"] == namespace] == [name]
        policy = full_example.resource("ValidatingAdmissionPolicy", f"{namespace}-pods").inputs["spec"]
        assert f"only the DaemonSet {name} runs in this namespace" in str(policy["validations"])
