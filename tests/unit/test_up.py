"""The `up` command: it lifts the protection of confirmed resources, and of no others, before it applies the plan."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infra.names import ALLOW_DELETE, ANY_RESOURCE
from ops.__main__ import cli
from ops.guardrails.deletion import confirmed_deletions
from ops.guardrails.summary import stopped_migration
from ops.plan import Plan
from tests.unit import plans
from tests.unit.fake_engine import SERVICE, fake_engine, plan, update

URN = "urn:pulumi:prod::honeydue::honeydue:apps:Workload$kubernetes:core/v1:Service::api0"


def up(*options: str) -> Result:
    return CliRunner().invoke(cli, ["up", "--stack", "prod", "--yes", *options])


def test_a_confirmed_deletion_is_unprotected_and_applied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan("delete", "update")) as calls:
        result = up("--allow-delete", "Service::api0")
    assert result.exit_code == 0, result.output
    assert calls.read_text().splitlines() == [
        f"state unprotect --stack prod --non-interactive --yes {URN}",
        # A resource that no longer exists leaves the state, because some providers fail to delete it again.
        f"refresh --stack prod --non-interactive --yes --skip-preview --target {URN}",
        "up --stack prod --yes --skip-preview",
    ]


COMPONENT = "urn:pulumi:prod::honeydue::honeydue:edge:Uptime::uptime"


@pytest.mark.parametrize(("allow_delete", "expected"), [(["Service::api0"], [URN, COMPONENT]), ([], [])])
def test_a_component_is_deleted_with_its_confirmed_children(allow_delete: Sequence[str], expected: object) -> None:
    """The engine protects a component too. It is neither listed nor confirmed."""
    component = {"urn": COMPONENT, "type": "honeydue:edge:Uptime", "protect": True}
    steps = [*plan("delete")["steps"], {"op": "delete", "urn": COMPONENT, "oldState": component}]
    planned = Plan.read(json.dumps({**plan(), "steps": steps}))
    assert [step.urn for step in confirmed_deletions(planned, allow_delete)] == expected


def test_an_up_that_stops_protects_the_rest_again_and_prints_the_command_that_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = {"urn": URN, "type": SERVICE, "custom": True, "protect": False}
    with fake_engine(tmp_path, monkeypatch, plan=plan("delete", "update"), failing="up", state=state) as calls:
        result = up("--allow-delete", "Service::api0", "--allow-delete", "Service::gone")
    assert result.exit_code == 1
    assert "nothing to delete: Service::gone" in result.output
    assert 'To continue: make up STACK=prod ALLOW_DELETE="Service::api0 Service::gone"' in result.output
    assert calls.read_text().splitlines()[2:] == [
        "up --stack prod --yes --skip-preview",
        f"state protect --stack prod --non-interactive --yes {URN}",
    ]


def test_the_program_receives_the_confirmed_deletions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The variable of a shell confirms nothing.
    monkeypatch.setenv(ALLOW_DELETE, "Service::api1")
    with fake_engine(tmp_path, monkeypatch, plan=plan("delete", "update")) as calls:
        up("--allow-delete", "Service::api0")
        assert (calls.parent / "up.allowed").read_text().split() == ["Service::api0"]
        assert (calls.parent / "preview.allowed").read_text().split() == [ANY_RESOURCE]


def test_a_failure_to_unprotect_ends_the_command_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan("delete"), failing="state unprotect") as calls:
        result = up("--allow-delete", "Service::api0")
    assert result.exit_code == 1
    assert "Could not lift the protection. Nothing was changed." in result.output
    assert isinstance(result.exception, SystemExit)
    assert [call.split(" --")[0] for call in calls.read_text().splitlines()] == ["state unprotect"]


def test_a_deletion_does_not_start_if_its_resources_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = {"urn": URN, "type": SERVICE, "custom": True, "protect": False}
    with fake_engine(tmp_path, monkeypatch, plan=plan("delete"), failing="refresh", state=state) as calls:
        result = up("--allow-delete", "Service::api0")
    assert result.exit_code == 1
    assert "Could not read the resources that would be deleted. Nothing was changed." in result.output
    assert [call.split(" --")[0] for call in calls.read_text().splitlines()] == [
        "state unprotect",
        "refresh",
        "state protect",
    ]


def test_a_refused_plan_runs_no_other_command_of_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan("delete")) as calls:
        result = up()
    assert result.exit_code == 1
    assert "Refused: the plan breaks 1 guard rail." in result.output
    assert not calls.exists()


def test_a_confirmation_for_nodes_that_keep_no_other_value_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan("update")) as calls:
        result = up("--nodes-have", "honeydue:cluster.network")
    assert result.exit_code == 1
    assert "honeydue:cluster.network is in NODES_HAVE, but no existing node keeps another value" in result.output
    assert not calls.exists()


REFRESHED = "up --stack prod --yes --skip-preview --refresh --run-program"
NOT_REFRESHED = "up --stack prod --yes --skip-preview"


def pending(kind: str) -> Mapping[str, Any]:
    """An operation on the Service that a killed engine left behind."""
    return {"type": kind, "resource": {"urn": URN, "type": SERVICE, "custom": True}}


@pytest.mark.parametrize(
    ("history", "operation", "reason"),
    [
        ([update("failed"), update()], None, "The last update of prod failed or was stopped."),
        ([update()], pending("updating"), "The last update of prod was killed while it changed Service::api0."),
        ([], pending("deleting"), "The last update of prod was killed while it changed Service::api0."),
    ],
    ids=["failed", "killed", "killed at first"],
)
def test_after_an_incomplete_update_the_state_is_refreshed_without_being_asked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    history: list[Mapping[str, Any]],
    operation: Mapping[str, Any] | None,
    reason: str,
) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan("update"), history=history, pending=operation) as calls:
        result = up()
    assert result.exit_code == 0, result.output
    assert result.output.count(f"{reason} What it changed is read first: as with REFRESH=1") == 1
    assert calls.read_text().splitlines() == [REFRESHED]


@pytest.mark.parametrize(
    ("history", "operation"),
    [
        ([], None),
        ([update(), update("failed")], None),
        # A refresh does not find an object that was being created, and the engine keeps such an operation for ever.
        ([update()], pending("creating")),
        # A refresh or an import that failed changed nothing but the state.
        ([{**update("failed"), "kind": "refresh"}, update()], None),
    ],
    ids=["never updated", "repaired", "being created", "failed refresh"],
)
def test_after_a_complete_update_the_state_is_not_refreshed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    history: list[Mapping[str, Any]],
    operation: Mapping[str, Any] | None,
) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan("update"), history=history, pending=operation) as calls:
        result = up()
    assert result.exit_code == 0, result.output
    assert "The last update" not in result.output
    assert calls.read_text().splitlines()[-1] == NOT_REFRESHED


@pytest.mark.parametrize(
    ("conditions", "warned"),
    [([], True), ([{"type": "Complete", "status": "True"}], False), ([{"type": "Failed", "status": "True"}], False)],
)
def test_a_migration_that_has_not_finished_is_named_before_it_is_stopped(
    conditions: list[Mapping[str, str]], warned: bool
) -> None:
    old = {"outputs": {"status": {"conditions": conditions}}}
    replaced = plans.plan(plans.step("replace", plans.JOB, "migrate", protect=False, old=old))
    assert bool(stopped_migration(replaced)) == warned
    assert not stopped_migration(plans.plan(plans.step("create", plans.JOB, "migrate", protect=False)))
