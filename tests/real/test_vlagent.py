"""What vlagent sends with the arguments of its pod: which lines, which fields, no secret, and none twice.

The world of test_logs.py shows that the pod may read what it needs.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from infra.cluster.admission import LOG_FILES
from infra.machines.k3s import AUDIT_LOG
from tests.real.log_agent import NODE, Agent, Container
from tests.retry import eventually
from tests.unit.capture import Capture, full_settings, run

PLANTED = "planted-secret"
ACCESS = {"RouterName": "api", "DownstreamStatus": 200, "RequestPath": f"/login?password={PLANTED}", "msg": ""}
APP = Container(namespace="honeydue", name="api", lines=["started", '{"msg": "parsed", "level": "info"}'])
TRAEFIK = Container(namespace="kube-system", name="traefik", lines=[json.dumps(ACCESS)])
OTHER = Container(namespace="default", name="other", lines=["of another namespace"])
CONTAINERS = (APP, TRAEFIK, OTHER)
POD_FIELDS = {"kubernetes.pod_namespace", "kubernetes.pod_name", "kubernetes.container_name"}


@pytest.fixture(scope="module")
def program() -> Capture:
    return run(full_settings())


@pytest.fixture
def agent(tmp_path: Path, program: Capture) -> Agent:
    return Agent(tmp_path, program, CONTAINERS)


def write_audit_log(agent: Agent, *events: Mapping[str, Any]) -> None:
    file = agent.path(str(AUDIT_LOG))
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as log:
        log.writelines(json.dumps(event) + "\n" for event in events)


def event(**changes: Any) -> Mapping[str, Any]:
    """An entry of an audit log."""
    return {
        "level": "Metadata",
        "verb": "get",
        "user": {"username": "admin"},
        "objectRef": {"resource": "secrets", "namespace": "honeydue", "name": "honeydue-secrets"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-11-26T12:00:00.000000Z",
        **changes,
    }


def messages(lines: Sequence[Mapping[str, str]]) -> list[str]:
    return sorted(line["_msg"] for line in lines)


def test_the_lines_of_the_namespaces_in_the_settings_arrive(agent: Agent, program: Capture) -> None:
    with agent.running():
        lines = agent.lines(3)
    assert messages(lines) == ["-", "parsed", "started"]
    for line in lines:
        assert line["cluster"] == program.settings["honeydue:domain"]
        assert line["node"] == NODE
        assert line.keys() >= POD_FIELDS
        assert line["_time"].startswith("2026-11-26T12:00:00")
    (parsed,) = (line for line in lines if line["_msg"] == "parsed")
    assert parsed["level"] == "info"
    (access,) = (line for line in lines if line["kubernetes.container_name"] == "traefik")
    assert (access["RouterName"], access["DownstreamStatus"]) == ("api", "200")


def test_a_stream_is_one_container_of_a_node(agent: Agent) -> None:
    with agent.running():
        streams = {line["_stream"] for line in agent.lines(3)}
    assert len(streams) == 2
    assert all(f'node="{NODE}"' in stream and "cluster=" in stream for stream in streams)


def test_the_audit_log_arrives_without_the_content_of_objects(agent: Agent) -> None:
    write_audit_log(
        agent,
        event(),
        event(level="RequestResponse", requestObject={"data": {"a": {"b": PLANTED}}}, responseObject={"data": PLANTED}),
        event(verb="create", requestURI=f"/api/v1/namespaces/honeydue/pods/redis/exec?command={PLANTED}"),
        event(responseStatus={"code": 422, "message": PLANTED, "details": {"causes": [{"message": PLANTED}]}}),
        event(annotations={"validation.policy.admission.k8s.io/validation_failure": PLANTED}),
    )
    with agent.running():
        lines = agent.lines(8)
    assert PLANTED not in str(lines)
    audited = [line for line in lines if "file" in line]
    assert len(audited) == 5
    for line in audited:
        assert (line["node"], line["user.username"], line["objectRef.name"]) == (NODE, "admin", "honeydue-secrets")
        assert line["_time"].startswith("2026-11-26T12:00:00")
        assert "hostname" not in line


def test_the_query_string_of_a_request_does_not_arrive(agent: Agent) -> None:
    with agent.running():
        lines = agent.lines(3)
    assert PLANTED in TRAEFIK.lines[0]
    assert PLANTED not in str(lines)


def test_an_outage_and_a_restart_lose_no_line_and_send_none_twice(agent: Agent) -> None:
    logs = agent.path(LOG_FILES) / "containers"
    with agent.collecting():
        with agent.database():
            agent.lines(3)
        (log,) = logs.glob("api_*")
        with log.open("a") as file:
            file.writelines(f"2026-11-26T12:00:01.{number:09}Z stdout F {number}\n" for number in range(500))
        # It reads the file every 100 ms to 10 s, and sends what it has read once a second.
        eventually(agent.assert_unsent, seconds=20)
    with log.open("a") as file:
        file.write("2026-11-26T12:00:02.000000000Z stderr F written while the agent was away\n")
    with agent.running():
        lines = agent.lines(504)
    expected = ["-", "parsed", "started", "written while the agent was away", *map(str, range(500))]
    assert messages(lines) == sorted(expected)


def test_fields_in_the_settings_are_not_sent(tmp_path: Path) -> None:
    logs: Any = full_settings()["honeydue:logs"]
    settings = {**full_settings(), "honeydue:logs": {**logs, "dropFields": ["level", "user.*"], "audit": True}}
    agent = Agent(tmp_path, run(settings), CONTAINERS)
    write_audit_log(agent, event())
    with agent.running():
        lines = agent.lines(4)
    assert not [line for line in lines if "level" in line or "user.username" in line or "RequestPath" in line]
    assert [line for line in lines if line.get("objectRef.name")]
