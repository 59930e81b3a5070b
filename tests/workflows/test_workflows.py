"""The CI workflows are valid, pin their actions, have least privilege, and use the secrets that docs/ci.md lists."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.layout import CHECKOUT
from tools.cache import executable

FOLDER = CHECKOUT / ".gitea" / "workflows"
FILES = {file.stem: file for file in FOLDER.glob("*.yaml")}
PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"
WRITE_SECRETS = {"STATE_WRITER_KEY_ID", "STATE_WRITER_KEY", "DEPLOYER_KUBECONFIG"}


def workflow(name: str) -> Mapping[str, Any]:
    # The default loader follows YAML 1.1 and would parse the key `on` as true.
    content: Mapping[str, Any] = yaml.load(FILES[name].read_text(), yaml.BaseLoader)  # noqa: S506  # only creates text
    return content


def jobs(name: str) -> Mapping[str, Mapping[str, Any]]:
    result: Mapping[str, Mapping[str, Any]] = workflow(name)["jobs"]
    return result


def secrets(section: object) -> set[str]:
    """Names of the secrets that a section of a workflow uses."""
    return set(re.findall(r"secrets\.(\w+)", yaml.safe_dump(section)))


def findings(file: Path) -> str:
    """The output of actionlint, which runs shellcheck on the scripts."""
    config = CHECKOUT / ".gitea" / "actionlint.yaml"
    shellcheck = CHECKOUT / ".venv" / "bin" / "shellcheck"
    program = executable("actionlint")
    command: list[str | Path] = [program, "-no-color", "-config-file", config, "-shellcheck", shellcheck, file]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False).stdout


def test_the_workflows_are_preview_up_drift_and_updates() -> None:
    assert FILES.keys() == {"preview", "up", "drift", "updates"}


@pytest.mark.parametrize("name", FILES)
def test_actionlint_reports_nothing(name: str) -> None:
    assert findings(FILES[name]) == ""


@pytest.mark.parametrize(
    ("correct", "wrong", "message"),
    [
        ("runs-on: honeydue-production", "runs-on: honeydue-prodution", "label"),
        ('--status "$status"', "--status $state", "shellcheck"),
        ("github.token", "github.tokn", "not defined"),
    ],
)
def test_actionlint_reports_a_mistake(tmp_path: Path, correct: str, wrong: str, message: str) -> None:
    text = FILES["drift"].read_text()
    assert correct in text
    (tmp_path / "drift.yaml").write_text(text.replace(correct, wrong))
    assert message in findings(tmp_path / "drift.yaml")


@pytest.mark.parametrize("name", FILES)
def test_actions_are_pinned_by_commit_with_their_version_in_a_comment(name: str) -> None:
    uses = re.findall(r"uses: (.*)", FILES[name].read_text())
    assert uses
    assert [use for use in uses if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)] == []


@pytest.mark.parametrize("name", FILES)
def test_jobs_may_only_read_the_code_and_write_the_issues_that_they_report_to(name: str) -> None:
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


def test_a_pull_request_gets_no_secret_that_can_change_production() -> None:
    assert secrets(jobs("preview")["rehearse"]) == set()
    assert secrets(jobs("preview")["preview"]) & secrets(workflow("up")) == {PASSPHRASE}
    assert {name for name in FILES if secrets(workflow(name)) & WRITE_SECRETS} == {"up"}
    assert secrets(workflow("up")) == WRITE_SECRETS | {PASSPHRASE}


@pytest.mark.parametrize("name", FILES)
def test_secrets_are_only_in_the_steps_that_run_the_engine(name: str) -> None:
    """An action or a package that is installed could otherwise read them from its environment."""
    assert secrets({key: value for key, value in workflow(name).items() if key != "jobs"}) == set()
    for job in jobs(name).values():
        assert secrets({key: value for key, value in job.items() if key != "steps"}) == set()
        for step in job["steps"]:
            engine = ".gitea/set-credentials" in step.get("run", "") or "-m ops" in step.get("run", "")
            assert engine or secrets(step) == set(), step
            assert ("github.token" in yaml.safe_dump(step)) <= ("-m ops" in step.get("run", "")), step


def test_a_job_with_a_token_does_not_use_the_cache_of_the_rehearsals() -> None:
    for name in FILES:
        for job in jobs(name).values():
            if job["runs-on"] == "honeydue-rehearsal":
                for step in job["steps"]:
                    if "github.token" in yaml.safe_dump(step):
                        assert step["env"]["HONEYDUE_CACHE"].startswith("${{ runner.temp }}/"), name


def test_a_preview_runs_after_its_rehearsal_and_not_for_forks() -> None:
    preview = jobs("preview")["preview"]
    assert preview["needs"] == "rehearse"
    assert preview["if"] == "github.event.pull_request.head.repo.full_name == github.repository"


def test_deployments_run_one_at_a_time_and_are_never_cancelled() -> None:
    production_workflows = {name for name in FILES if secrets(workflow(name)) and name != "preview"}
    assert production_workflows == {"up", "drift"}
    for name in production_workflows:
        assert workflow(name)["concurrency"] == {"group": "production", "cancel-in-progress": "false"}
    # A time-out would cancel a deployment, too.
    assert "timeout-minutes" not in jobs("up")["up"]


def test_a_deployment_is_started_by_a_tag_of_a_commit_on_main() -> None:
    assert workflow("up")["on"] == {"push": {"tags": ["up/*"]}}
    commands = [step.get("run", "") for step in jobs("up")["up"]["steps"]]
    (check,) = [
        index for index, command in enumerate(commands) if command == "git merge-base --is-ancestor HEAD origin/main"
    ]
    (deploy,) = [index for index, command in enumerate(commands) if "ops up" in command]
    assert check < deploy


def test_the_docs_list_every_secret_with_its_workflows() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([a-z, ]+) \|", (CHECKOUT / "docs" / "ci.md").read_text(), re.M)
    documented = {secret: set(workflows.split(", ")) for secret, workflows in rows}
    used = {
        secret: {name for name in FILES if secret in secrets(workflow(name))}
        for name in FILES
        for secret in secrets(workflow(name))
    }
    assert documented == used
