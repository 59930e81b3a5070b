"""The workflows: valid, pinned, of least rights, and of no more secrets than docs/ci.md says."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.layout import CHECKOUT
from tools import programs

ACTIONLINT = programs.named("actionlint")
FOLDER = CHECKOUT / ".gitea" / "workflows"
FILES = {file.stem: file for file in FOLDER.glob("*.yaml")}
PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"
WRITES = {"STATE_WRITER_KEY_ID", "STATE_WRITER_KEY", "DEPLOYER_KUBECONFIG"}


def workflow(name: str) -> Mapping[str, Any]:
    # BaseLoader: YAML 1.1 would read the key `on` as true.
    found: Mapping[str, Any] = yaml.load(FILES[name].read_text(), yaml.BaseLoader)  # noqa: S506  # makes nothing but text
    return found


def jobs(name: str) -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = workflow(name)["jobs"]
    return found


def secrets(part: object) -> set[str]:
    """Every secret that is named in it."""
    return set(re.findall(r"secrets\.(\w+)", yaml.safe_dump(part)))


def complaints(file: Path) -> str:
    """What actionlint says, of the shell in it too."""
    config = CHECKOUT / ".gitea" / "actionlint.yaml"
    shellcheck = CHECKOUT / ".venv" / "bin" / "shellcheck"
    program = programs.installed(ACTIONLINT) / ACTIONLINT.name
    command: list[str | Path] = [program, "-no-color", "-config-file", config, "-shellcheck", shellcheck, file]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False).stdout


def test_there_are_the_four() -> None:
    assert FILES.keys() == {"preview", "up", "drift", "updates"}


@pytest.mark.parametrize("name", FILES)
def test_actionlint_has_nothing_to_say(name: str) -> None:
    assert complaints(FILES[name]) == ""


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("runs-on: honeydue-production", "runs-on: honeydue-prodution", "label"),
        ('--status "$status"', "--status $state", "shellcheck"),
        ("github.token", "github.tokn", "not defined"),
    ],
)
def test_actionlint_would_say_it(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    text = FILES["drift"].read_text()
    assert right in text
    (tmp_path / "drift.yaml").write_text(text.replace(right, wrong))
    assert said in complaints(tmp_path / "drift.yaml")


@pytest.mark.parametrize("name", FILES)
def test_actions_are_pinned_by_commit_and_tell_their_version(name: str) -> None:
    uses = re.findall(r"uses: (.*)", FILES[name].read_text())
    assert uses
    assert [one for one in uses if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []


@pytest.mark.parametrize("name", FILES)
def test_a_job_may_read_the_code_and_write_issues_where_it_reports(name: str) -> None:
    assert workflow(name)["permissions"] == {"contents": "read"}
    for job in jobs(name).values():
        reports = "github.token" in yaml.safe_dump(job["steps"])
        allowed = (
            {"contents": "read"}
            | ({"issues": "write"} if reports else {})
            | ({"pull-requests": "write"} if name == "preview" else {})
        )
        assert job.get("permissions", {"contents": "read"}).items() <= allowed.items()
        assert all(step["with"]["persist-credentials"] == "false" for step in job["steps"] if "uses" in step)


def test_a_pull_request_never_sees_what_can_change_production() -> None:
    assert secrets(jobs("preview")["rehearse"]) == set()
    assert secrets(jobs("preview")["preview"]) & secrets(workflow("up")) == {PASSPHRASE}
    assert {name for name in FILES if secrets(workflow(name)) & WRITES} == {"up"}
    assert secrets(workflow("up")) == WRITES | {PASSPHRASE}


def test_a_preview_comes_after_its_rehearsal_and_not_for_a_fork() -> None:
    preview = jobs("preview")["preview"]
    assert preview["needs"] == "rehearse"
    assert preview["if"] == "github.event.pull_request.head.repo.full_name == github.repository"


def test_one_deployment_at_a_time_and_none_is_cancelled() -> None:
    at_production = {name for name in FILES if secrets(workflow(name)) and name != "preview"}
    assert at_production == {"up", "drift"}
    for name in at_production:
        assert workflow(name)["concurrency"] == {"group": "production", "cancel-in-progress": "false"}
    # A deadline is a cancellation too.
    assert "timeout-minutes" not in jobs("up")["up"]


def test_a_deployment_is_a_tag_on_what_main_holds() -> None:
    assert workflow("up")["on"] == {"push": {"tags": ["up/*"]}}
    commands = [step.get("run", "") for step in jobs("up")["up"]["steps"]]
    (check,) = [at for at, command in enumerate(commands) if command == "git merge-base --is-ancestor HEAD origin/main"]
    (deploy,) = [at for at, command in enumerate(commands) if "ops up" in command]
    assert check < deploy


def test_the_page_names_every_secret_and_who_gets_it() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([a-z, ]+) \|", (CHECKOUT / "docs" / "ci.md").read_text(), re.M)
    told = {secret: set(who.split(", ")) for secret, who in rows}
    used = {
        secret: {name for name in FILES if secret in secrets(workflow(name))}
        for name in FILES
        for secret in secrets(workflow(name))
    }
    assert told == used
