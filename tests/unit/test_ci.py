"""The CI commands for Gitea: one comment for each pull request, and one issue that is open while drift exists."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ops.__main__ import cli
from tests.unit import fake_gitea
from tests.unit.fake_engine import fake_engine, kubeconfig_for, plan
from tests.unit.fake_gitea import JOB_USER, OTHER_USER, REPOSITORY, TOKEN, FakeGitea

TITLE = "Drift of prod"


@pytest.fixture
def gitea(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitea]:
    """A fake Gitea, and the environment variables of its jobs."""
    with fake_gitea.serving() as serving:
        monkeypatch.setenv("GITHUB_SERVER_URL", serving.url)
        monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        yield serving


def update_issue(tmp_path: Path, status: int, text: str = "") -> Result:
    (tmp_path / "report.md").write_text(text)
    return CliRunner().invoke(cli, ["issue", "--title", TITLE, "--status", str(status), str(tmp_path / "report.md")])


def test_the_issue_is_opened_edited_and_closed(gitea: FakeGitea, tmp_path: Path) -> None:
    gitea.open(TITLE, "an old one", "closed")
    assert update_issue(tmp_path, 2, "one thing").exit_code == 0
    assert update_issue(tmp_path, 2, "one thing").exit_code == 0
    assert update_issue(tmp_path, 2, "two things").exit_code == 0
    assert [(issue["title"], issue["body"], issue["state"]) for issue in gitea.issues[1:]] == [
        (TITLE, "two things", "open")
    ]
    # No request without a change: Gitea would notify every watcher.
    assert gitea.changes == ["POST issues", "PATCH issues/2"]
    assert update_issue(tmp_path, 0).exit_code == 0
    assert [issue["state"] for issue in gitea.issues] == ["closed", "closed"]
    assert update_issue(tmp_path, 0).exit_code == 0
    assert len(gitea.changes) == 3


def test_an_issue_of_another_author_is_not_taken_over(gitea: FakeGitea, tmp_path: Path) -> None:
    """Its author could edit the report."""
    gitea.open(TITLE, "no drift at all", user=OTHER_USER)
    assert update_issue(tmp_path, 2, "drift").exit_code == 0
    assert update_issue(tmp_path, 0).exit_code == 0
    assert [(issue["body"], issue["state"], issue["user"]) for issue in gitea.issues] == [
        ("no drift at all", "open", OTHER_USER),
        ("drift", "closed", JOB_USER),
    ]


def test_the_issue_is_found_on_a_later_page(gitea: FakeGitea, tmp_path: Path) -> None:
    for number in range(120):
        gitea.open(f"{TITLE} {number}")
    gitea.open(TITLE, "before")
    assert update_issue(tmp_path, 2, "after").exit_code == 0
    assert gitea.changes == ["PATCH issues/121"]


def test_a_failed_check_fails_the_job_and_leaves_the_issue(gitea: FakeGitea, tmp_path: Path) -> None:
    gitea.open(TITLE, "drift of yesterday")
    result = update_issue(tmp_path, 1, "the state could not be read")
    assert result.exit_code == 1
    assert "the state could not be read" in result.output
    assert gitea.changes == []


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, "no longer valid"), (403, "may not write issues"), (404, "no such repository"), (500, "500")],
)
def test_an_error_of_gitea_is_one_line(gitea: FakeGitea, tmp_path: Path, status: int, message: str) -> None:
    gitea.failing.append(status)
    result = update_issue(tmp_path, 2, "drift")
    assert result.exit_code == 1
    assert message in result.output
    assert result.output.count("\n") == 1
    assert TOKEN not in result.output


def test_requests_are_repeated_during_a_restart_of_gitea(gitea: FakeGitea, tmp_path: Path) -> None:
    gitea.failing.extend([502, 503])
    assert update_issue(tmp_path, 2, "drift").exit_code == 0
    assert len(gitea.issues) == 1


def test_outside_a_job_the_error_has_the_missing_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    result = update_issue(tmp_path, 2, "drift")
    assert result.exit_code == 1
    assert "GITHUB_TOKEN not set" in result.output


def update_comment() -> Result:
    return CliRunner().invoke(cli, ["comment", "--stack", "prod", "--pull-request", "7"])


def test_the_preview_of_a_pull_request_is_one_comment_that_is_edited(
    gitea: FakeGitea, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gitea.comments[7] = [{"id": 1, "body": "Looks good to me", "user": OTHER_USER}]
    with fake_engine(tmp_path, monkeypatch, plan=plan("update")):
        assert update_comment().exit_code == 0
    with fake_engine(tmp_path, monkeypatch, plan=plan("create", "update")):
        assert update_comment().exit_code == 0
    first, preview = gitea.comments[7]
    assert first["body"] == "Looks good to me"
    assert gitea.changes == ["POST issues/7/comments", "PATCH issues/comments/2"]
    assert "1 to create, 1 to update." in preview["body"]
    assert "| update | `Service::api1` | spec.ports.port |" in preview["body"]
    # The plan has no servers, so that only the services cost.
    assert "Monthly cost: EUR 4.50 (prices of 2026-04-24)" in preview["body"]


def test_a_comment_of_another_author_is_not_taken_over(
    gitea: FakeGitea, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "<!-- preview of prod -->\nNothing changes."
    gitea.comments[7] = [{"id": 1, "body": body, "user": OTHER_USER}]
    with fake_engine(tmp_path, monkeypatch, plan=plan("update")):
        assert update_comment().exit_code == 0
    other, preview = gitea.comments[7]
    assert (other["body"], preview["user"]) == (body, JOB_USER)


def test_a_refused_plan_is_in_the_comment_and_fails_the_job(
    gitea: FakeGitea, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan("delete")):
        assert update_comment().exit_code == 1
    assert (
        "**Refused: the plan breaks 1 guard rail. Nothing was changed. "
        "Fix each one, or confirm the deletions with ALLOW_DELETE.**" in gitea.comments[7][0]["body"]
    )
    assert "`Service::api0` would be deleted" in gitea.comments[7][0]["body"]


def test_an_error_of_the_plan_is_in_the_comment(
    gitea: FakeGitea, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan(error="honeydue:domian is no setting\n```\n@everybody")):
        assert update_comment().exit_code == 1
    assert "    honeydue:domian is no setting\n    ```\n    @everybody" in gitea.comments[7][0]["body"]


def test_a_comment_has_no_plan_of_a_cluster_that_does_not_respond(
    gitea: FakeGitea, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreachable = kubeconfig_for("https://127.0.0.1:1")
    with fake_engine(tmp_path, monkeypatch, plan=plan("same"), kubeconfig=unreachable):
        assert update_comment().exit_code == 1
    assert "the API server at https://127.0.0.1:1 cannot be reached" in gitea.comments[7][0]["body"]
    assert "No changes" not in gitea.comments[7][0]["body"]


def test_a_comment_lists_at_most_100_changes(gitea: FakeGitea, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_engine(tmp_path, monkeypatch, plan=plan(*["update"] * 500)):
        assert update_comment().exit_code == 0
    body = gitea.comments[7][0]["body"]
    assert "500 to update." in body
    assert "and 400 more" in body
    assert body.count("| update |") == 100
