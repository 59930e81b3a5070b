"""Upgrades of k3s and reboots: one node at a time, drained by evictions that respect disruption budgets."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from infra.k3s_charts import K3S_CHARTS
from infra.settings.loading import SettingsError
from tests.unit.capture import Capture, Registration, example_settings, full_settings, run
from tests.unit.placeholders import OPTIONAL_SETTINGS

UPGRADES: Mapping[str, Any] = OPTIONAL_SETTINGS["honeydue:upgrades"]  # type: ignore[assignment]  # a map


def with_upgrades(**changes: object) -> Capture:
    return run(example_settings() | {"honeydue:upgrades": {**UPGRADES, **changes}})


def kinds(program: Capture) -> set[str]:
    return {resource.kind for resource in program.registrations if resource.request.custom}


def plan(program: Capture, name: str) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = program.resource("Plan", name).inputs["spec"]
    return spec


def test_without_the_setting_no_controller_is_installed(example: Capture) -> None:
    assert kinds(example).isdisjoint({"HelmChart", "CustomResourceDefinition", "Plan"})


@pytest.mark.parametrize(
    ("left_out", "charts"),
    [("k3s", {"kured"}), ("reboots", {"system-upgrade-controller"})],
    ids=["only reboots", "only k3s"],
)
def test_upgrades_and_reboots_are_independent(left_out: str, charts: set[str]) -> None:
    program = run(
        example_settings() | {"honeydue:upgrades": {key: value for key, value in UPGRADES.items() if key != left_out}}
    )
    assert {resource.name for resource in program.resources("HelmChart")} == charts
    assert ("Plan" in kinds(program)) == (left_out != "k3s")


def test_the_controller_supports_the_minor_version_to_which_it_upgrades() -> None:
    cluster = full_settings()["honeydue:cluster"]
    assert isinstance(cluster, dict)
    for minor, charts in K3S_CHARTS.items():
        program = run({**full_settings(), "honeydue:cluster": {**cluster, "k3sVersion": f"v{minor}.99+k3s1"}})
        chart = program.resource("HelmChart", "system-upgrade-controller")
        assert chart.inputs["spec"]["version"] == charts.upgrade_controller


def test_servers_are_upgraded_one_at_a_time_to_the_version_of_the_settings(full_example: Capture) -> None:
    spec = plan(full_example, "k3s-servers")
    assert (spec["concurrency"], spec["exclusive"]) == (1, True)
    assert spec["version"] == full_example.settings["honeydue:cluster"]["k3sVersion"]
    assert spec["nodeSelector"]["matchExpressions"] == [
        {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}
    ]
    assert spec["window"] == {"days": ["sun"], "startTime": "02:00", "endTime": "05:00", "timeZone": "Europe/Berlin"}


def test_a_drain_uses_evictions_without_force(full_example: Capture) -> None:
    for resource in full_example.resources("Plan"):
        assert resource.inputs["spec"]["drain"] == {"deleteEmptydirData": True, "ignoreDaemonSets": True}, resource.urn
    chart = yaml.safe_load(full_example.resource("HelmChart", "kured").inputs["spec"]["valuesContent"])
    assert "forceReboot" not in chart["configuration"]


def test_agents_are_upgraded_after_the_servers(full_example: Capture) -> None:
    assert [resource.name for resource in full_example.resources("Plan")] == ["k3s-servers"]
    settings = full_settings()
    nodes: Any = settings["honeydue:nodes"]
    joined = run(settings | {"honeydue:nodes": {**nodes, "agent1": {"hostname": "agent-1", "role": "agent"}}})
    spec = plan(joined, "k3s-agents")
    assert spec["prepare"]["args"] == ["prepare", "k3s-servers"]
    assert spec["nodeSelector"]["matchExpressions"][0]["operator"] == "DoesNotExist"


def test_plans_depend_on_their_definition_whose_spec_the_controller_owns(
    full_example: Capture,
) -> None:
    definition = full_example.resource("CustomResourceDefinition", "plans")
    assert list(definition.request.ignoreChanges) == ["spec"]
    for resource in full_example.resources("Plan"):
        assert definition.urn in resource.request.dependencies, resource.urn


def test_nodes_that_require_a_reboot_are_rebooted_one_at_a_time_in_the_window(full_example: Capture) -> None:
    chart = full_example.resource("HelmChart", "kured").inputs["spec"]
    assert (chart["repo"], chart["version"]) == ("https://kubereboot.github.io/charts", "5.11.0")
    configuration = yaml.safe_load(chart["valuesContent"])["configuration"]
    assert configuration["rebootSentinel"] == "/var/run/reboot-required"
    assert (
        configuration["rebootDays"],
        configuration["startTime"],
        configuration["endTime"],
        configuration["timeZone"],
    ) == (
        ["tue", "thu"],
        "02:00",
        "05:00",
        "Europe/Berlin",
    )
    assert configuration["concurrency"] == 1


def test_every_chart_has_a_version_and_a_declared_namespace(program: Capture) -> None:
    declared = {resource.inputs["metadata"]["name"] for resource in program.resources("Namespace")} | {"kube-system"}
    for resource in program.registrations:
        if resource.kind == "HelmChart":
            assert resource.inputs["spec"]["version"].replace(".", "").isdecimal(), resource.urn
            assert resource.inputs["spec"]["targetNamespace"] in declared, resource.urn


def min_pods(program: Capture, owner: Registration) -> int:
    """The minimum number of pods of a Deployment or StatefulSet, from its spec or its autoscaler."""
    spec = owner.inputs["spec"]
    if "replicas" in spec:
        return int(spec["replicas"])
    return int(program.resource("HorizontalPodAutoscaler", owner.name).inputs["spec"]["minReplicas"])


def test_every_disruption_budget_allows_an_eviction(program: Capture) -> None:
    for budget in program.resources("PodDisruptionBudget"):
        spec = budget.inputs["spec"]
        (owner,) = (
            resource
            for resource in program.registrations
            if resource.kind in {"Deployment", "StatefulSet"}
            and resource.inputs["spec"]["selector"] == spec["selector"]
        )
        pods = min_pods(program, owner)
        allowed = spec["maxUnavailable"] if "maxUnavailable" in spec else pods - spec["minAvailable"]
        assert allowed > 0, budget.urn
        # A pod that never became ready must not block a drain either.
        assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow", budget.urn


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"k3s": ["sunday"]}, r"honeydue:upgrades\.k3s\.0 holds 'sunday'"),
        ({"k3s": []}, r"honeydue:upgrades\.k3s: at least one was expected"),
        (
            {"reboots": ["sat", "sun"]},
            r"honeydue:upgrades\.reboots: k3s is upgraded on sun, too: two servers could be down at once",
        ),
        (
            {"window": {**UPGRADES["window"], "start": "2:00"}},
            r"honeydue:upgrades\.window\.start holds '2:00': a time of day",
        ),
        (
            {"window": {**UPGRADES["window"], "end": "24:00"}},
            r"honeydue:upgrades\.window\.end holds '24:00': a time of day",
        ),
        (
            {"window": {**UPGRADES["window"], "start": "23:00"}},
            r"honeydue:upgrades\.window\.end holds '05:00': must be after start, 23:00",
        ),
        (
            {"window": {**UPGRADES["window"], "timeZone": "Europe/Bonn"}},
            r"upgrades\.window\.timeZone holds 'Europe/Bonn': a time zone such",
        ),
        (
            {"window": {**UPGRADES["window"], "timeZone": "Europe"}},
            r"upgrades\.window\.timeZone holds 'Europe': a time zone such",
        ),
        (
            {"window": {**UPGRADES["window"], "timeZone": "../UTC"}},
            r"upgrades\.window\.timeZone holds '\.\./UTC': a time zone such",
        ),
    ],
)
def test_an_invalid_schedule_is_refused(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        with_upgrades(**changes)
