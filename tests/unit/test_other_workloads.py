"""The program makes room for workloads that it does not declare: images, connections, quota."""

from typing import Any

import pytest

from infra.settings.other_workloads import Connection, OtherWorkload
from tests.unit.capture import Capture, example_settings, run
from tests.unit.other_workloads import LABELS, SETTING
from tests.unit.test_quota import amount


def program_with(**workloads: Any) -> Capture:
    return run({**example_settings(), "honeydue:otherWorkloads": workloads})


@pytest.fixture(scope="module")
def example() -> Capture:
    return run(example_settings())


@pytest.fixture(scope="module")
def with_vmagent() -> Capture:
    return program_with(vmagent=SETTING)


def policies(program: Capture) -> dict[str, Any]:
    """The specs of the network policies, by namespace and name."""
    return {
        f"{resource.inputs['metadata']['namespace']}/{resource.inputs['metadata']['name']}": resource.inputs["spec"]
        for resource in program.resources("NetworkPolicy")
    }


def test_the_admission_policy_admits_its_images(with_vmagent: Capture, example: Capture) -> None:
    def expressions(program: Capture) -> str:
        return str(program.resource("ValidatingAdmissionPolicy", "honeydue-pods").inputs["spec"]["validations"])

    assert "|victoriametrics/vmagent)" in expressions(with_vmagent)
    assert "vmagent" not in expressions(example)


def test_both_ends_of_each_connection_to_pods_are_opened(with_vmagent: Capture, example: Capture) -> None:
    added = {name: spec for name, spec in policies(with_vmagent).items() if name not in policies(example)}
    assert added.keys() == {"honeydue/other-vmagent", "honeydue/vmagent-to-api", "kube-system/vmagent-to-kube-dns"}
    own = added["honeydue/other-vmagent"]
    assert own["podSelector"]["matchLabels"] == LABELS
    ports = [[port["port"] for port in rule["ports"]] for rule in own["egress"]]
    assert ports == [[53, 53], [443], [8000], [9153], [9101]]
    for name, labels, port in (
        ("honeydue/vmagent-to-api", {"app.kubernetes.io/name": "api"}, 8000),
        ("kube-system/vmagent-to-kube-dns", {"k8s-app": "kube-dns"}, 9153),
    ):
        assert added[name]["podSelector"]["matchLabels"] == labels
        (rule,) = added[name]["ingress"]
        assert rule["from"] == [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "honeydue"}},
                "podSelector": {"matchLabels": LABELS},
            }
        ]
        assert rule["ports"] == [{"port": port, "protocol": "TCP"}]


def test_a_connection_to_nodes_does_not_open_the_pod_range(with_vmagent: Capture) -> None:
    to_nodes = policies(with_vmagent)["honeydue/other-vmagent"]["egress"][-1]["to"]
    nodes = {node["ipv4"] for node in with_vmagent.settings["honeydue:nodes"].values()}
    assert {peer["ipBlock"]["cidr"] for peer in to_nodes} == {f"{node}/32" for node in nodes}


def test_no_policy_is_created_in_a_namespace_that_the_program_does_not_isolate(example: Capture) -> None:
    """It would isolate pods that are not isolated today."""
    program = program_with(
        agent={**SETTING, "namespace": "monitoring"},
        other={"labels": {"app": "other"}, "egress": [{"port": 1, "namespace": "monitoring", "pods": {"app": "db"}}]},
    )
    added = policies(program).keys() - policies(example).keys()
    assert added == {"kube-system/agent-to-kube-dns", "honeydue/other-other"}


def test_the_quota_and_the_limits_have_room_for_it(with_vmagent: Capture, example: Capture) -> None:
    def hard(program: Capture, name: str) -> float:
        return amount(program.resource("ResourceQuota", "honeydue").inputs["spec"]["hard"][name])

    assert hard(with_vmagent, "pods") == hard(example, "pods") + 2
    assert hard(with_vmagent, "limits.memory") == hard(example, "limits.memory") + 2 * amount("1024Mi")
    before, after = (
        program.resource("LimitRange", "honeydue").inputs["spec"]["limits"][0] for program in (example, with_vmagent)
    )
    assert after["max"]["memory"] == "1Gi"
    assert (after["default"], after["defaultRequest"]) == (before["default"], before["defaultRequest"])


def test_a_workload_in_another_namespace_changes_no_admission_policy_and_no_quota(example: Capture) -> None:
    program = program_with(vmagent={**SETTING, "namespace": "default"})
    for kind, name in (("ValidatingAdmissionPolicy", "honeydue-pods"), ("ResourceQuota", "honeydue")):
        assert program.resource(kind, name).inputs == example.resource(kind, name).inputs


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": {}}, "at least one was expected"),
        ({"images": ["victoriametrics/vmagent:v1"]}, "the repository of an image without a tag"),
        ({"egress": [{"port": 1, "namespace": "honeydue"}]}, "needs pods, the labels of the other end"),
        ({"egress": [{"port": 1, "pods": {"a": "b"}, "address": "nodes"}]}, "a connection has one other end"),
        ({"egress": [{"port": 1, "address": "everywhere"}]}, "address"),
        ({"egress": [{"port": 0}]}, "port"),
    ],
)
def test_an_invalid_workload_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OtherWorkload.model_validate({**SETTING, **changes})


def test_a_connection_is_to_the_internet_by_default() -> None:
    connection = Connection.model_validate({"port": 443})
    assert (connection.address, connection.protocol, connection.to_pods) == ("internet", "TCP", False)


@pytest.mark.parametrize(("setting", "ports"), [({}, [8000, 443]), ({"honeydue:adminUsesApiUrl": True}, [8000])])
def test_admin_reaches_the_public_name_of_api_until_its_image_uses_api_url(
    setting: dict[str, bool], ports: list[int]
) -> None:
    _, *egress = policies(run({**example_settings(), **setting}))["honeydue/admin"]["egress"]
    assert [port["port"] for rule in egress for port in rule["ports"]] == ports
