"""The agent for logs: what is declared with which settings, what it reads, and what it may use of the node."""

from typing import Any

import pytest

from infra.logs.vlagent import AUDIT_DROPPED_FIELDS, DROPPED_FIELDS
from infra.machines.k3s import AUDIT_LOG, audit_policy
from infra.settings.loading import SettingsError
from tests.unit.capture import Capture, full_settings, run
from tests.unit.manifests import manifests
from tests.unit.registrations import namespace_of, plain_strings

SETTING = "honeydue:logs"
WRITABLE = "/var/lib/vlagent"


def program_with(**changes: object) -> Capture:
    logs: Any = full_settings()[SETTING]
    return run({**full_settings(), SETTING: {**logs, **changes}})


def without(*keys: str) -> Capture:
    return run({key: value for key, value in full_settings().items() if key.removeprefix("honeydue:") not in keys})


def errors(**changes: object) -> list[str]:
    with pytest.raises(SettingsError) as error:
        program_with(**changes)
    return str(error.value).splitlines()[1:]


def pod(program: Capture) -> Any:
    return program.resource("DaemonSet", "vlagent").inputs["spec"]["template"]["spec"]


def arguments(program: Capture) -> dict[str, str]:
    (container,) = pod(program)["containers"]
    pairs = [argument.removeprefix("--").partition("=") for argument in container["args"]]
    return {name: value for name, _, value in pairs}


def test_without_the_setting_nothing_is_declared(example: Capture) -> None:
    assert SETTING not in example.settings
    names = ("vlagent", "::logs")
    assert [entry.urn for entry in example.registrations if any(name in entry.urn.lower() for name in names)] == []


def test_a_program_without_monitoring_has_logs() -> None:
    program = without("monitoring", "metricsPassword", "alertWebhookUrl", "heartbeatUrl")
    (policy,) = (policy for policy in program.resources("NetworkPolicy") if policy.name == "vlagent")
    assert policy.inputs["spec"]["ingress"] == []
    assert not [role for role in program.resources("Role") if "vmagent" in role.name]


def test_the_agent_runs_on_every_node_and_reads_only_logs(full_example: Capture) -> None:
    spec = pod(full_example)
    assert spec["tolerations"] == [{"operator": "Exists"}]
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in spec["volumes"] if "hostPath" in volume}
    assert set(paths.values()) == {"/var/log", str(AUDIT_LOG.parent), WRITABLE}
    (container,) = spec["containers"]
    for mount in container["volumeMounts"]:
        assert mount.get("readOnly", False) is (paths.get(mount["name"]) != WRITABLE)
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_audit_log_can_be_left_out() -> None:
    program = program_with(audit=False)
    assert not [name for name in arguments(program) if name.startswith("fileCollector")]
    assert str(AUDIT_LOG.parent) not in str(pod(program))


def test_the_agent_connects_to_obs_and_the_api_server_only() -> None:
    program = program_with(url="https://logs.example.com:8443/logs")
    spec = program.resource("NetworkPolicy", "vlagent").inputs["spec"]
    assert [[port["port"] for port in rule["ports"]] for rule in spec["egress"]] == [[53, 53], [8443], [6443]]
    assert [[port["port"] for port in rule["ports"]] for rule in spec["ingress"]] == [[9429]]
    assert arguments(program)["remoteWrite.url"] == "https://logs.example.com:8443/logs/insert/native"


def test_the_account_reads_no_object_but_pods_nodes_and_namespaces(full_example: Capture) -> None:
    roles = [
        item
        for item in manifests(full_example)
        if item["kind"] in ("Role", "ClusterRole") and "vlagent" in item["metadata"]["name"]
    ]
    granted = {
        (resource, verb)
        for role in roles
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert granted == {
        ("pods", "get"),
        ("pods", "list"),
        ("pods", "watch"),
        ("nodes", "get"),
        ("namespaces", "list"),
    }


def test_the_password_is_in_a_secret_only(full_example: Capture) -> None:
    for resource in full_example.registrations:
        if namespace_of(resource) == "logs":
            assert not [text for text in plain_strings(resource.request.object) if "placeholder-of-" in text]
    assert "placeholder-of-" not in str(pod(full_example))
    (secret,) = (entry for entry in full_example.resources("Secret") if namespace_of(entry) == "logs")
    assert secret.inputs["stringData"] == {"username": "cluster", "password": "placeholder-of-logsPassword"}


def test_the_settings_reach_the_agent() -> None:
    flags = arguments(program_with(namespaces=["honeydue", "monitoring"], dropFields=["uri", "user.*"], bufferMi=2048))
    assert flags["kubernetesCollector.excludeFilter"] == '!"kubernetes.pod_namespace":in("honeydue","monitoring")'
    for kind, dropped in {"kubernetes": DROPPED_FIELDS, "file": AUDIT_DROPPED_FIELDS}.items():
        assert flags[f"{kind}Collector.ignoreFields"].split(",") == [*dropped, "uri", "user.*"]
    # vlagent deletes a file of 513 MiB when it has sent all of it.
    assert int(flags["remoteWrite.maxDiskUsagePerURL"].removesuffix("MiB")) + 513 < 2048


def test_the_audit_policy_of_the_program_logs_no_content() -> None:
    """The agent drops these fields for the nodes that were installed by hand."""
    policy: Any = audit_policy()
    assert {rule["level"] for rule in policy["rules"]} == {"None", "Metadata"}


def test_a_namespace_that_does_not_exist_is_an_error() -> None:
    (line,) = errors(namespaces=["honeydue", "honeydeu", "logs"])
    assert line.strip().startswith("honeydue:logs: namespaces contains honeydeu, logs, whose logs cannot be read")
    assert "kube-system" in line
    assert "monitoring" in line


def test_a_namespace_exists_if_a_setting_declares_it() -> None:
    logs: Any = full_settings()[SETTING]
    settings = {key: value for key, value in full_settings().items() if key != "honeydue:upgrades"}
    settings[SETTING] = {**logs, "namespaces": ["cattle-system", "metrics"]}
    with pytest.raises(SettingsError, match="namespaces contains cattle-system, metrics"):
        run(settings)
    settings["honeydue:upgrades"] = full_settings()["honeydue:upgrades"]
    settings["honeydue:otherWorkloads"] = {"agent": {"namespace": "metrics", "labels": {"app": "agent"}}}
    assert run(settings).resource("DaemonSet", "vlagent")


def test_another_wrong_setting_is_not_reported_twice() -> None:
    logs: Any = full_settings()[SETTING]
    with pytest.raises(SettingsError) as error:
        run({**full_settings(), "honeydue:upgrades": {"window": 1}, SETTING: {**logs, "namespaces": ["cattle-system"]}})
    assert SETTING not in str(error.value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"url": "http://logs.example.com"}, "honeydue:logs.url holds 'http://logs.example.com': an address such as"),
        ({"url": "https://logs.example.com/insert?AccountID=1"}, "honeydue:logs.url holds"),
        ({"namespaces": []}, "honeydue:logs.namespaces: at least one was expected"),
        ({"namespaces": ["A,B"]}, "honeydue:logs.namespaces.0 holds 'A,B': a host name of lowercase letters"),
        ({"dropFields": ["a,b"]}, "honeydue:logs.dropFields.0 holds 'a,b': the name of a field"),
        ({"bufferMi": 1000}, "honeydue:logs.bufferMi: at least"),
        ({"images": {"vlagent": "vlagent:latest"}}, "honeydue:logs.images.vlagent holds 'vlagent:latest'"),
        ({"user": "me"}, "honeydue:logs.user is not a setting"),
    ],
)
def test_a_wrong_setting_is_one_line(change: dict[str, object], expected: str) -> None:
    (line,) = errors(**change)
    assert expected.split(":", 2)[1] in line
    assert expected.rpartition(": ")[2] in line


def test_logs_need_their_password() -> None:
    with pytest.raises(SettingsError, match=r"honeydue:logsPassword is missing .*pulumi config set --secret"):
        without("logsPassword")
