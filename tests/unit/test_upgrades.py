"""Upgrades and reboots: one node at a time, drained by evictions that may be refused but not for ever."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from infra.settings.loading import SettingsError
from tests.unit.capture import EQUIPMENT, Capture, equipped_settings, example_settings, run

UPGRADES: Mapping[str, Any] = EQUIPMENT["honeydue:upgrades"]  # type: ignore[assignment]  # a map, as written there


def with_upgrades(**changes: object) -> Capture:
    return run(example_settings() | {"honeydue:upgrades": {**UPGRADES, **changes}})


def kinds(program: Capture) -> set[str]:
    return {one.kind for one in program.registrations if one.request.custom}


def plan(program: Capture, name: str) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = program.one("Plan", name).inputs["spec"]
    return spec


def test_without_the_setting_nothing_is_installed(example: Capture) -> None:
    assert kinds(example).isdisjoint({"HelmChart", "CustomResourceDefinition", "Plan"})


@pytest.mark.parametrize(
    ("left_out", "charts"),
    [("k3s", {"kured"}), ("reboots", {"system-upgrade-controller"})],
    ids=["only reboots", "only k3s"],
)
def test_each_of_the_two_can_be_had_alone(left_out: str, charts: set[str]) -> None:
    program = run(
        example_settings() | {"honeydue:upgrades": {key: value for key, value in UPGRADES.items() if key != left_out}}
    )
    assert {one.name for one in program.of("HelmChart")} == charts
    assert ("Plan" in kinds(program)) == (left_out != "k3s")


def test_servers_are_upgraded_one_at_a_time_to_the_version_that_new_nodes_get(equipped: Capture) -> None:
    spec = plan(equipped, "k3s-servers")
    assert (spec["concurrency"], spec["exclusive"]) == (1, True)
    assert spec["version"] == equipped.settings["honeydue:cluster"]["k3sVersion"]
    assert spec["nodeSelector"]["matchExpressions"] == [
        {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}
    ]
    assert spec["window"] == {"days": ["sun"], "startTime": "02:00", "endTime": "05:00", "timeZone": "Europe/Berlin"}


def test_a_drain_evicts_and_forces_nothing(equipped: Capture) -> None:
    for one in equipped.of("Plan"):
        assert one.inputs["spec"]["drain"] == {"deleteEmptydirData": True, "ignoreDaemonSets": True}, one.urn
    chart = yaml.safe_load(equipped.one("HelmChart", "kured").inputs["spec"]["valuesContent"])
    assert "forceReboot" not in chart["configuration"]


def test_agents_follow_the_servers_where_there_are_any(equipped: Capture) -> None:
    assert [one.name for one in equipped.of("Plan")] == ["k3s-servers"]
    settings = equipped_settings()
    nodes: Any = settings["honeydue:nodes"]
    joined = run(settings | {"honeydue:nodes": {**nodes, "agent1": {"hostname": "agent-1", "role": "agent"}}})
    spec = plan(joined, "k3s-agents")
    assert spec["prepare"]["args"] == ["prepare", "k3s-servers"]
    assert spec["nodeSelector"]["matchExpressions"][0]["operator"] == "DoesNotExist"


def test_the_api_server_knows_plans_before_it_is_given_one_and_leaves_their_shape_to_the_controller(
    equipped: Capture,
) -> None:
    definition = equipped.one("CustomResourceDefinition", "plans")
    assert list(definition.request.ignoreChanges) == ["spec"]
    for one in equipped.of("Plan"):
        assert definition.urn in one.request.dependencies, one.urn


def test_a_node_that_asks_for_it_is_rebooted_in_the_window_and_one_at_a_time(equipped: Capture) -> None:
    chart = equipped.one("HelmChart", "kured").inputs["spec"]
    assert (chart["repo"], chart["version"]) == ("https://kubereboot.github.io/charts", "5.11.0")
    told = yaml.safe_load(chart["valuesContent"])["configuration"]
    assert told["rebootSentinel"] == "/var/run/reboot-required"
    assert (told["rebootDays"], told["startTime"], told["endTime"], told["timeZone"]) == (
        ["tue", "thu"],
        "02:00",
        "05:00",
        "Europe/Berlin",
    )
    assert told["concurrency"] == 1


def test_every_chart_is_pinned_and_its_namespace_stands(program: Capture) -> None:
    declared = {one.inputs["metadata"]["name"] for one in program.of("Namespace")} | {"kube-system"}
    for one in program.registrations:
        if one.kind == "HelmChart":
            assert one.inputs["spec"]["version"].replace(".", "").isdecimal(), one.urn
            assert one.inputs["spec"]["targetNamespace"] in declared, one.urn


def least_pods(program: Capture, name: str) -> int:
    """How many pods an app has at the least, by its Deployment or its autoscaler."""
    spec = program.one("Deployment", name).inputs["spec"]
    if "replicas" in spec:
        return int(spec["replicas"])
    return int(program.one("HorizontalPodAutoscaler", name).inputs["spec"]["minReplicas"])


def test_no_disruption_budget_blocks_a_drain_for_ever(program: Capture) -> None:
    for budget in program.of("PodDisruptionBudget"):
        spec = budget.inputs["spec"]
        (app,) = (one.name for one in program.of("Deployment") if one.inputs["spec"]["selector"] == spec["selector"])
        pods = least_pods(program, app)
        allowed = spec["maxUnavailable"] if "maxUnavailable" in spec else pods - spec["minAvailable"]
        assert allowed > 0, budget.urn
        # Nor does a pod that never became ready.
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
def test_a_window_that_would_never_open_is_refused(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        with_upgrades(**changes)
