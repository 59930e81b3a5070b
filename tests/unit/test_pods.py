"""Invariants of every pod, Service, Deployment and Job that the program registers. They hold for new resources too."""

import pulumi
import pytest

from infra.apps.migration import log_next_steps
from infra.names import LOGS
from infra.settings.logs import LogSettings
from infra.settings.monitoring import MonitoringSettings
from tests.unit.capture import Capture, run
from tests.unit.registrations import containers, dependencies_of, namespace_of, pods


def bound_accounts(program: Capture) -> set[tuple[str, str]]:
    """The accounts with permissions, which need their token."""
    return {
        (subject["namespace"], subject["name"])
        for kind in ("RoleBinding", "ClusterRoleBinding")
        for binding in program.resources(kind)
        for subject in binding.inputs["subjects"]
    }


def test_every_container_meets_pod_security_restricted(program: Capture) -> None:
    for resource, template in pods(program):
        security = template["spec"]["securityContext"]
        # The agent reads files that belong to root (tests/unit/test_logs.py).
        root = namespace_of(resource) == LOGS
        assert security["runAsNonRoot"] is not root, resource.urn
        assert (security["runAsUser"] == 0) is root, resource.urn
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, resource.urn
        bound = (namespace_of(resource), template["spec"]["serviceAccountName"]) in bound_accounts(program)
        assert template["spec"]["automountServiceAccountToken"] is bound, resource.urn
    for resource, container in containers(program):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False, resource.urn
        assert security["readOnlyRootFilesystem"] is True, resource.urn
        assert security["capabilities"] == {"drop": ["ALL"]}, resource.urn


def test_every_container_has_requests_and_limits(program: Capture) -> None:
    for resource, container in containers(program):
        for bound in ("requests", "limits"):
            assert container["resources"][bound].keys() >= {"cpu", "memory", "ephemeral-storage"}, resource.urn


def test_every_image_has_a_tag_and_is_from_the_registry_or_a_setting(program: Capture) -> None:
    images = program.settings["honeydue:images"]
    registry = images["registry"] + "/"
    others = {images["redis"]}
    if monitoring := program.settings.get("honeydue:monitoring"):
        others |= {image for _, image in MonitoringSettings.model_validate(monitoring).images}
    if logs := program.settings.get("honeydue:logs"):
        others |= {image for _, image in LogSettings.model_validate(logs).images}
    for resource, container in containers(program):
        name, _, tag = container["image"].rpartition(":")
        assert tag not in {"", "latest"}, resource.urn
        assert name.startswith(registry) or container["image"] in others, resource.urn


def test_a_pod_depends_on_every_object_that_it_references(program: Capture) -> None:
    declared = {
        (namespace_of(resource), resource.kind, resource.inputs["metadata"]["name"]): resource.urn
        for resource in program.registrations
        if "name" in resource.inputs.get("metadata", {})
    }
    for resource, template in pods(program):
        spec = template["spec"]
        references = {("ServiceAccount", spec["serviceAccountName"])}
        references |= {("Secret", secret["name"]) for secret in spec.get("imagePullSecrets", [])}
        for volume in spec.get("volumes", []):
            if "secret" in volume:
                references.add(("Secret", volume["secret"]["secretName"]))
            if "configMap" in volume:
                references.add(("ConfigMap", volume["configMap"]["name"]))
            if "persistentVolumeClaim" in volume:
                references.add(("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]))
        for container in spec["containers"]:
            for source in container.get("envFrom", []):
                references |= {("ConfigMap", ref["name"]) for key, ref in source.items() if key == "configMapRef"}
                references |= {("Secret", ref["name"]) for key, ref in source.items() if key == "secretRef"}
            for variable in container.get("env", []):
                kinds = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}
                references |= {
                    (kinds[key], ref["name"]) for key, ref in variable.get("valueFrom", {}).items() if key in kinds
                }
        dependencies = dependencies_of(program, resource)
        namespace = namespace_of(resource)
        assert [entry for entry in references if declared.get((namespace, *entry)) not in dependencies] == [], (
            resource.urn
        )


def test_every_service_selects_one_workload_and_a_declared_port(program: Capture) -> None:
    for service in program.resources("Service"):
        selector = service.inputs["spec"]["selector"]
        selected = [
            template for _, template in pods(program) if selector.items() <= template["metadata"]["labels"].items()
        ]
        assert len(selected) == 1, service.urn
        ports = {port["name"] for container in selected[0]["spec"]["containers"] for port in container["ports"]}
        assert {port["targetPort"] for port in service.inputs["spec"]["ports"]} <= ports, service.urn


def test_every_deployment_has_exactly_one_disruption_budget(program: Capture) -> None:
    budgets = [
        resource.inputs["spec"]["selector"]["matchLabels"] for resource in program.resources("PodDisruptionBudget")
    ]
    for deployment in program.resources("Deployment"):
        assert budgets.count(deployment.inputs["spec"]["selector"]["matchLabels"]) == 1, deployment.urn


def test_a_deployment_has_either_replicas_or_an_autoscaler(program: Capture) -> None:
    scaled = {
        resource.inputs["spec"]["scaleTargetRef"]["name"] for resource in program.resources("HorizontalPodAutoscaler")
    }
    for deployment in program.resources("Deployment"):
        assert ("replicas" in deployment.inputs["spec"]) != (deployment.name in scaled), deployment.urn


def test_coredns_has_one_replica_per_node(program: Capture) -> None:
    spec = program.resource("HorizontalPodAutoscaler", "coredns").inputs["spec"]
    assert spec["minReplicas"] == spec["maxReplicas"] == len(program.resources("Server"))


@pytest.mark.parametrize("app", ["api", "worker"])
def test_apps_that_use_the_database_depend_on_the_migration_job(program: Capture, app: str) -> None:
    assert program.resource("Job", "migrate").urn in program.resource("Deployment", app).request.dependencies


def test_a_pod_depends_on_admission_policies_and_its_network_policies(program: Capture) -> None:
    for resource, template in pods(program):
        namespace = namespace_of(resource)
        bindings = [
            binding
            for binding in program.resources("ValidatingAdmissionPolicyBinding")
            if namespace in str(binding.inputs["spec"]["matchResources"]["namespaceSelector"])
        ]
        policies = {binding.inputs["spec"]["policyName"] for binding in bindings}
        guards = {binding.urn for binding in bindings}
        guards |= {policy.urn for policy in program.resources("ValidatingAdmissionPolicy") if policy.name in policies}
        guards.add(program.resource("NetworkPolicy", f"{namespace}-default-deny").urn)
        assert len(guards) > len(policies) > 0
        # Find the policy by its selector, not by its name: an adopted Deployment keeps its own labels.
        labels = template["metadata"]["labels"].items()
        selectors = {
            policy.urn: policy.inputs["spec"]["podSelector"].get("matchLabels", {})
            for policy in program.resources("NetworkPolicy")
            # Others are applied after the rollout (test_rollout_order.py).
            if policy.inputs["spec"]["policyTypes"] == ["Ingress", "Egress"] and namespace_of(policy) == namespace
        }
        matching = {urn for urn, selector in selectors.items() if selector and selector.items() <= labels}
        # No policy applies to the host network.
        assert len(matching) == (0 if template["spec"].get("hostNetwork") else 1), resource.urn
        assert guards | matching <= dependencies_of(program, resource), resource.urn


def test_no_service_or_deployment_selects_the_migration(program: Capture) -> None:
    labels = program.resource("Job", "migrate").inputs["spec"]["template"]["metadata"]["labels"].items()
    for resource in program.resources("Service"):
        assert not resource.inputs["spec"]["selector"].items() <= labels, resource.urn
    for resource in program.resources("Deployment"):
        assert not resource.inputs["spec"]["selector"]["matchLabels"].items() <= labels, resource.urn


def test_the_migration_is_independent_of_the_database_settings(program: Capture) -> None:
    database = {**program.settings["honeydue:database"], "endpoint": "direct", "name": "other"}
    assert (
        run({**program.settings, "honeydue:database": database}).resource("Job", "migrate").inputs["spec"]
        == program.resource("Job", "migrate").inputs["spec"]
    )


def test_the_migration_connects_to_the_direct_host_and_the_backend_to_the_pooler(example: Capture) -> None:
    config = example.resource("ConfigMap", "honeydue-config").inputs["data"]
    (container,) = example.resource("Job", "migrate").inputs["spec"]["template"]["spec"]["containers"]
    (host,) = (
        variable["valueFrom"]["configMapKeyRef"] for variable in container["env"] if variable["name"] == "PGHOST"
    )
    assert host["name"] == "honeydue-config"
    assert config[host["key"]] == "ep-floral-truth-amttbc5a.c-5.us-east-1.aws.neon.tech"
    assert config["DB_HOST"] == "ep-floral-truth-amttbc5a-pooler.c-5.us-east-1.aws.neon.tech"


def test_two_migrations_never_run_at_once(program: Capture) -> None:
    job = program.resource("Job", "migrate")
    # A name exists once in a namespace. The provider deletes the old Job and waits for its pods before it creates one.
    assert job.inputs["metadata"]["name"] == "migrate"
    assert job.request.deleteBeforeReplace
    assert (job.inputs["spec"]["backoffLimit"], job.inputs["spec"]["podReplacementPolicy"]) == (0, "Failed")
    assert "parallelism" not in job.inputs["spec"]


@pytest.mark.parametrize(
    ("operation", "error", "expected"),
    [
        ("create", "the Job failed: BackoffLimitExceeded", "kubectl -n honeydue logs job/migrate"),
        ("create", "spec.template: Invalid value: field is immutable", "delete job migrate --cascade=foreground"),
        ("delete", "timed out waiting for the condition", "kubectl delete node NODE"),
    ],
)
def test_a_migration_that_does_not_start_or_complete_names_the_next_command(
    monkeypatch: pytest.MonkeyPatch, operation: str, error: str, expected: str
) -> None:
    messages: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", messages.append)
    arguments = pulumi.ErrorHookArgs(urn="", id="", name="migrate", type="", failed_operation=operation, errors=[error])
    assert log_next_steps(arguments) is False
    assert expected in messages[0]
    assert "the old pods continue to serve" in messages[0]
