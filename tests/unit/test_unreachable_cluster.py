"""`preview`, `up` and `release` end with a message if the cluster's API does not respond."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ops import kubernetes
from ops.__main__ import cli
from ops.engine.stack import Settings
from ops.errors import OpsError
from ops.guardrails.cluster import must_respond
from ops.plan import Plan
from ops.resource_types import SERVER
from tests.recipes import EXAMPLE
from tests.unit.fake_engine import fake_engine, kubeconfig_for, plan
from tests.unit.site import serve

COMMANDS = (["preview"], ["up", "--yes"], ["release", "--yes", "--api", "0a1b2c3d4e"])
NO_SERVER = (kubeconfig_for("https://127.0.0.1:1"), "the API server at https://127.0.0.1:1 cannot be reached")
GARBAGE = ("\x8f\x1f%{garbage", "honeydue:kubeconfig has no usable context default")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(("kubeconfig", "message"), [NO_SERVER, GARBAGE])
def test_a_plan_without_an_api_server_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], kubeconfig: str, message: str
) -> None:
    settings = tmp_path / "Pulumi.prod.yaml"
    settings.write_text((EXAMPLE / settings.name).read_text())
    monkeypatch.chdir(tmp_path)
    with fake_engine(tmp_path, monkeypatch, plan=plan("same"), kubeconfig=kubeconfig) as calls:
        result = CliRunner().invoke(cli, [*command, "--stack", "prod"])
    assert result.exit_code == 1
    assert "Could not compute a plan. Nothing was changed." in result.output
    assert message in result.output
    assert "No changes" not in result.output
    assert "kubernetes-token" not in result.output
    assert not calls.exists()
    assert settings.read_text() == (EXAMPLE / settings.name).read_text()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"kubeconfig": "set"}, "credentials in honeydue:kubeconfig: pulumi config set --secret honeydue:kubeconfig"),
        ({}, "credentials in the state of the stack: the cluster has another certificate authority than the state"),
    ],
)
@pytest.mark.parametrize("read", [kubernetes.check_responds, lambda *access: kubernetes.connect(*access).__enter__()])
def test_rejected_credentials_are_named_by_where_the_operator_finds_them(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, expected: str, read: Callable[[str, Settings], object]
) -> None:
    with serve({}) as site:
        site.missing = 401
        monkeypatch.setattr(kubernetes, "kubeconfig_and_context", lambda *_: (kubeconfig_for(site.url), "default"))
        with pytest.raises(OpsError) as error:
            read("prod", settings)
    assert expected in str(error.value)


def bootstrapped(*steps: Mapping[str, Any]) -> Plan:
    """A plan for a cluster that the program bootstraps: its kubeconfig is the empty default of Pulumi.yaml."""
    return Plan.model_validate({"config": {"honeydue:kubeconfig": ""}, "steps": [*plan("same")["steps"], *steps]})


def server(op: str) -> Mapping[str, Any]:
    urn = f"urn:pulumi:prod::honeydue::honeydue:machines:Servers${SERVER}::hetzner2"
    state = {"urn": urn, "type": SERVER, "custom": True}
    old, new = None if op == "create" else state, None if op == "delete" else state
    return {"op": op, "urn": urn, "oldState": old, "newState": new}


def test_a_bootstrapped_cluster_may_have_no_api_only_before_its_servers_exist() -> None:
    assert must_respond(bootstrapped())
    assert must_respond(bootstrapped(server("update")))
    assert must_respond(bootstrapped(server("delete")))
    assert not must_respond(bootstrapped(server("create")))
    assert not must_respond(bootstrapped(server("replace")))
    assert not must_respond(Plan.model_validate({"steps": plan("create")["steps"]}))
