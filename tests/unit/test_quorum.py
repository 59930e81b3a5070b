"""The guard rail for the other servers: no server stops while etcd would lose its quorum."""

import json
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result
from pydantic import TypeAdapter

from infra.machines.servers import quorum_warning
from infra.settings.topology import Node
from ops import kubernetes
from ops.__main__ import cli
from ops.errors import OpsError
from ops.guardrails.quorum import quorum_survives
from ops.guardrails.violation import Violation
from ops.plan import Plan
from ops.resource_types import SERVER
from tests.unit.capture import example_settings, run
from tests.unit.fake_engine import fake_engine
from tests.unit.flips import example
from tests.unit.plans import plan, step

LABELS = {"node-role.kubernetes.io/control-plane": "true", "node-role.kubernetes.io/etcd": "true"}
RESIZED: dict[str, Any] = {"op": "update", "changed": ("serverType",)}
REPLACED: dict[str, Any] = {"op": "replace"}
REMOVED: dict[str, Any] = {"op": "delete"}


def node(name: str, *, ready: bool = True, server: bool = True, voter: bool | None = None) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": str(ready)}]
    if voter is not None:
        conditions.append({"type": "EtcdIsVoter", "status": str(voter)})
    return {"metadata": {"name": name, "labels": LABELS if server else {}}, "status": {"conditions": conditions}}


def stopping(alias: str, count: int = 3, *, agents: tuple[str, ...] = (), **stop: Any) -> Plan:
    """A plan that stops one of the servers s1, s2, …, and leaves the others unchanged."""
    aliases = [*(f"s{number}" for number in range(1, count + 1)), *agents]
    steps = [
        step(**(stop if name == alias else {"op": "same"}), kind=SERVER, name=name, old=_inputs(name), **_inputs(name))
        for name in aliases
    ]
    nodes = {name: {"hostname": f"node-{name}", "role": "agent" if name in agents else "server"} for name in aliases}
    return plan(*steps, nodes=json.dumps(nodes))


def _inputs(name: str) -> dict[str, Any]:
    return {"inputs": {"name": f"node-{name}"}}


def check(planned: Plan, *nodes: Mapping[str, Any]) -> list[Violation]:
    return list(quorum_survives(planned, nodes))


def cluster(count: int, *lost: str) -> list[dict[str, Any]]:
    names = [f"node-s{number}" for number in range(1, count + 1)]
    return [node(name, ready=name.removeprefix("node-") not in lost) for name in names]


@pytest.mark.parametrize("stop", [RESIZED, REPLACED, REMOVED], ids=["resized", "replaced", "removed"])
def test_no_server_stops_while_another_is_lost(stop: dict[str, Any]) -> None:
    planned = stopping("s1", **stop)
    assert check(planned, *cluster(3)) == []
    (violation,) = check(planned, *cluster(3, "s2"))
    assert violation.resource == "Server::s1"
    assert "while node-s2 is not Ready: etcd has 3 members and needs 2, and would have 1" in violation.reason
    assert violation.fix.startswith("repair node-s2 first")
    assert not violation.confirmable


def test_the_lost_server_itself_may_be_replaced() -> None:
    assert check(stopping("s2", **REPLACED), *cluster(3, "s2")) == []


def test_a_server_that_is_no_node_of_the_cluster_is_lost() -> None:
    (violation,) = check(stopping("s1", **REPLACED), *cluster(2))
    assert "while node-s3 is not Ready" in violation.reason


def test_a_learner_has_no_vote() -> None:
    nodes = [node("node-s1"), node("node-s2", voter=True), node("node-s3", voter=False)]
    (violation,) = check(stopping("s1", **REPLACED), *nodes)
    assert "while node-s3 is not yet a voting member of etcd: etcd has 2 members" in violation.reason
    assert "when `kubectl describe node node-s3` shows EtcdIsVoter True" in violation.fix
    assert check(stopping("s3", **REPLACED), *nodes) == []


def test_five_servers_keep_the_quorum_without_two() -> None:
    planned = stopping("s1", 5, **REPLACED)
    assert check(planned, *cluster(5, "s2")) == []
    assert len(check(planned, *cluster(5, "s2", "s3"))) == 1


def test_of_two_servers_one_may_be_resized_or_removed_but_not_replaced() -> None:
    for stop in (RESIZED, REMOVED):
        assert check(stopping("s1", 2, **stop), *cluster(2)) == []
        assert len(check(stopping("s1", 2, **stop), *cluster(2, "s2"))) == 1
    (violation,) = check(stopping("s1", 2, **REPLACED), *cluster(2))
    assert violation.fix.startswith("add another server first")


def test_the_only_server_may_stop() -> None:
    for stop in (RESIZED, REPLACED, REMOVED):
        assert check(stopping("s1", 1, **stop), *cluster(1)) == []


def test_agents_are_no_members() -> None:
    agents = ("a1", "a2")
    lost = [node("node-a1", ready=False, server=False), node("node-a2", ready=False, server=False)]
    assert check(stopping("a1", agents=agents, **REPLACED), *cluster(3, "s2"), *lost) == []
    assert check(stopping("s1", agents=agents, **REPLACED), *cluster(3), *lost) == []


@dataclass
class FakeCluster:
    """A cluster that returns the given lists of Nodes one after the other, and then the last one again."""

    answers: list[list[dict[str, Any]]]
    error: OpsError | None = None

    def nodes(self) -> list[dict[str, Any]]:
        if self.error:
            raise self.error
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def replacement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeCluster, Path]]:
    """The cluster of a stack whose plan replaces a server, and the file with the calls of the engine."""
    cluster_of_stack = FakeCluster(answers=[cluster(3)])
    planned = json.loads(stopping("s1", **REPLACED).model_dump_json(by_alias=True))
    planned["config"] |= {"honeydue:kubeconfig": "[secret]", "honeydue:replacing": "s1"}
    monkeypatch.setattr(kubernetes, "connect", lambda *_: nullcontext(cluster_of_stack))
    with fake_engine(tmp_path, monkeypatch, plan=planned) as calls:
        yield cluster_of_stack, calls


def up(*options: str, answer: str = "") -> Result:
    arguments = ["up", "--stack", "prod", "--replace", "Server::s1", *options]
    return CliRunner().invoke(cli, arguments, input=answer)


def test_up_replaces_the_named_server(replacement: tuple[FakeCluster, Path]) -> None:
    result = up("--yes")
    assert result.exit_code == 0, result.output
    assert replacement[1].read_text().splitlines()[-1] == (
        "up --stack prod --yes --skip-preview --replace=**:Server::s1"
    )


def test_up_and_preview_refuse_while_another_server_is_lost(replacement: tuple[FakeCluster, Path]) -> None:
    fake, calls = replacement
    fake.answers = [cluster(3, "s3")]
    preview = CliRunner().invoke(cli, ["preview", "--stack", "prod", "--replace", "Server::s1"])
    for result in (preview, up("--yes")):
        assert result.exit_code == 1
        assert "Server::s1 would stop while node-s3 is not Ready" in result.output
    assert not calls.exists()


def test_up_refuses_if_a_server_is_lost_while_it_asks(replacement: tuple[FakeCluster, Path]) -> None:
    fake, calls = replacement
    fake.answers = [cluster(3), cluster(3, "s3")]
    result = up(answer="y\n")
    assert result.exit_code == 1
    assert "would stop while node-s3 is not Ready" in result.output
    assert not calls.exists()


def test_up_refuses_if_the_nodes_cannot_be_read(replacement: tuple[FakeCluster, Path]) -> None:
    fake, calls = replacement
    fake.error = OpsError("the API server returned 403")
    result = up("--yes")
    assert result.exit_code == 1
    assert "the state of the other servers could not be read: the API server returned 403" in result.output
    assert not calls.exists()


@pytest.mark.parametrize(("count", "warns"), [(1, False), (2, True), (3, False), (4, True), (5, False)])
def test_an_even_number_of_servers_is_a_warning_with_the_reason(count: int, warns: bool) -> None:
    nodes = {f"s{number}": {"hostname": f"node-s{number}"} for number in range(1, count + 1)}
    nodes["agent"] = {"hostname": "node-agent", "role": "agent"}
    settings = example().model_copy(update={"nodes": TypeAdapter(dict[str, Node]).validate_python(nodes)})
    warning = quorum_warning(settings)
    assert (warning is not None) == warns
    if warning:
        assert warning.startswith(f"honeydue:nodes has {count} servers. etcd needs {count // 2 + 1} of them")


def test_the_warning_is_part_of_the_plan(caplog: pytest.LogCaptureFixture) -> None:
    changed = example_settings()
    nodes = cast("dict[str, Any]", changed["honeydue:nodes"])
    changed["honeydue:nodes"] = {**nodes, "another": {"hostname": "another"}}
    run(changed)
    assert "honeydue:nodes has 4 servers" in caplog.text
