"""The `up` command: it lifts the protection of confirmed resources, and of no others, before it applies the plan."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infra.names import ALLOW_DELETE, ANY_RESOURCE
from ops.__main__ import cli
from tests.unit.fake_engine import SERVICE, fake_engine, plan

URN = "urn:pulumi:prod::honeydue::honeydue:apps:Workload$kubernetes:core/v1:Service::api0"


def up(*options: str) -> Result:
    return CliRunner().invoke(cli, ["up", "--stack", "prod", "--yes", *options])


def test_a_confirmed_deletion_is_unprotected_and_applied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan("delete", "update")) as calls:
        result = up("--allow-delete", "Service::api0")
    assert result.exit_code == 0, result.output
    assert calls.read_text().splitlines() == [
        "stack export --stack prod --non-interactive",
        f"state unprotect --stack prod --non-interactive --yes {URN}",
        # A resource that no longer exists leaves the state, because some providers fail to delete it again.
        f"refresh --stack prod --non-interactive --yes --skip-preview --target {URN}",
        "up --stack prod --yes --skip-preview",
        "stack export --stack prod --non-interactive",
    ]


def test_an_up_that_stops_protects_the_rest_again_and_prints_the_way_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = {"urn": URN, "type": SERVICE, "custom": True, "protect": False}
    with fake_engine(tmp_path, monkeypatch, plan=plan("delete", "update"), failing="up", state=state) as calls:
        result = up("--allow-delete", "Service::api0", "--allow-delete", "Service::gone")
    assert result.exit_code == 1
    assert "nothing to delete: Service::gone" in result.output
    assert 'To continue: make up STACK=prod ALLOW_DELETE="Service::api0 Service::gone"' in result.output
    assert calls.read_text().splitlines()[3:] == [
        "up --stack prod --yes --skip-preview",
        "stack export --stack prod --non-interactive",
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
    assert [call.split(" --")[0] for call in calls.read_text().splitlines()] == ["stack export", "state unprotect"]


def test_a_deletion_does_not_start_if_its_resources_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = {"urn": URN, "type": SERVICE, "custom": True, "protect": False}
    with fake_engine(tmp_path, monkeypatch, plan=plan("delete"), failing="refresh", state=state) as calls:
        result = up("--allow-delete", "Service::api0")
    assert result.exit_code == 1
    assert "Could not read the resources that would be deleted. Nothing was changed." in result.output
    assert [call.split(" --")[0] for call in calls.read_text().splitlines()] == [
        "stack export",
        "state unprotect",
        "refresh",
        "stack export",
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
