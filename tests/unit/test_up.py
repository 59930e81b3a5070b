"""The `up` command: it lifts the protection of confirmed resources, and of no others, before it applies the plan."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ops.__main__ import cli
from tests.unit.fake_engine import fake_engine, plan

URN = "urn:pulumi:prod::honeydue::honeydue:apps:Workload$kubernetes:core/v1:Service::api0"


def up(*options: str) -> Result:
    return CliRunner().invoke(cli, ["up", "--stack", "prod", "--yes", *options])


def test_a_confirmed_deletion_is_unprotected_and_applied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan("delete", "update")) as calls:
        result = up("--allow-delete", "Service::api0")
    assert result.exit_code == 0, result.output
    assert calls.read_text().splitlines() == [
        f"state unprotect --stack prod --non-interactive --yes {URN}",
        "up --stack prod --yes --skip-preview",
    ]


def test_a_failure_to_unprotect_ends_the_command_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan("delete"), status=1) as calls:
        result = up("--allow-delete", "Service::api0")
    assert result.exit_code == 1
    assert "Could not lift the protection. Nothing was changed." in result.output
    assert isinstance(result.exception, SystemExit)
    assert len(calls.read_text().splitlines()) == 1


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
