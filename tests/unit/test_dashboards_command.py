"""`make dashboards`: what is written to Grafana, when it asks, and its errors in one line."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ops.__main__ import cli
from ops.dashboards import command
from ops.dashboards.changes import contains, differences
from ops.engine import stack as engine
from ops.grafana import MESSAGE, Grafana, Json
from tests.unit.capture import full_settings
from tests.unit.fake_grafana import FakeGrafana, serve_grafana

TOKEN = "glsa_token-of-the-test"
TITLES = ["Cluster", "api", "Traefik", "redis and queue", "Database pool"]
UID = "honeydue-api"
VALUES: dict[str, Any] = {
    **{key.removeprefix("honeydue:"): value for key, value in full_settings().items()},
    "grafana": {"url": "https://grafana.example.com", "folder": "Shop"},
    "grafanaToken": TOKEN,
}
Command = Callable[..., Result]


@pytest.fixture
def grafana() -> Iterator[FakeGrafana]:
    with serve_grafana(token=TOKEN) as server:
        yield server


@pytest.fixture
def values() -> dict[str, Any]:
    """The settings of the stack."""
    return dict(VALUES)


@pytest.fixture
def dashboards(monkeypatch: pytest.MonkeyPatch, grafana: FakeGrafana, values: dict[str, Any]) -> Command:
    monkeypatch.setattr(engine, "read_settings", lambda _: values)
    # The settings only accept https.
    monkeypatch.setattr(command, "Grafana", lambda **options: Grafana(**{**options, "url": grafana.url}))

    def run(*options: str, answer: str = "y\n") -> Result:
        return CliRunner().invoke(cli, ["dashboards", "--stack", "prod", *options], input=answer)

    return run


def error(result: Result) -> str:
    """The only line that the command prints after its question, if it asked."""
    assert result.exit_code == 1, result.output
    last = result.output.splitlines()[-1]
    assert TOKEN not in result.output
    assert last.startswith("Error: ")
    return last.removeprefix("Error: ")


def test_new_dashboards_are_created_in_a_new_folder(dashboards: Command, grafana: FakeGrafana) -> None:
    result = dashboards()
    assert result.exit_code == 0, result.output
    assert [line for line in result.output.splitlines() if line.endswith(": written")] == [
        f"{title}: written" for title in TITLES
    ]
    assert "folder Shop: new" in result.output
    (folder,) = grafana.folders
    assert {stored["folder"] for stored in grafana.dashboards.values()} == {folder}
    assert [stored["dashboard"]["title"] for stored in grafana.dashboards.values()] == TITLES
    assert {version["message"] for versions in grafana.versions.values() for version in versions} == {MESSAGE}


def test_declined_changes_nothing(dashboards: Command, grafana: FakeGrafana) -> None:
    result = dashboards(answer="n\n")
    assert result.exit_code == 0
    assert "Declined" in result.output
    assert (grafana.dashboards, grafana.folders) == ({}, {})


def test_a_second_push_changes_nothing(dashboards: Command, grafana: FakeGrafana) -> None:
    dashboards("--yes")
    result = dashboards(answer="")
    assert (result.exit_code, result.output) == (0, "All 5 dashboards in the folder Shop are up to date.\n")
    assert {len(versions) for versions in grafana.versions.values()} == {1}


def test_an_existing_folder_is_used(dashboards: Command, grafana: FakeGrafana) -> None:
    grafana.folders = {"other": "Other", "mine": "Shop"}
    assert dashboards("--yes").exit_code == 0
    assert {stored["folder"] for stored in grafana.dashboards.values()} == {"mine"}


def test_a_changed_setting_changes_only_its_dashboard(
    dashboards: Command, grafana: FakeGrafana, values: dict[str, Any]
) -> None:
    dashboards("--yes")
    values["monitoring"] = {**values["monitoring"], "api": {"maxConnections": 50}}
    result = dashboards()
    assert result.output.splitlines()[0] == "Database pool: changes the panel Open connections"
    assert "Overwrite" not in result.output
    assert [len(grafana.versions[uid]) for uid in ("honeydue-database", UID)] == [2, 1]


def test_defaults_that_grafana_adds_are_no_change(dashboards: Command, grafana: FakeGrafana) -> None:
    dashboards("--yes")
    grafana.edit(UID)
    assert "up to date" in dashboards(answer="").output


@pytest.mark.parametrize(("answer", "panels"), [("y\n", 7), ("n\n", 6)])
def test_a_change_by_hand_is_named_and_only_overwritten_after_a_confirmation(
    dashboards: Command, grafana: FakeGrafana, answer: str, panels: int
) -> None:
    dashboards("--yes")
    grafana.edit(UID, message="less", panels=grafana.dashboards[UID]["dashboard"]["panels"][1:])
    result = dashboards(answer=answer)
    assert "api: adds the panel Requests" in result.output
    assert "api: version 2 was not stored by this command, but in Grafana by admin" in result.output
    assert "Overwrite the changes that were made in Grafana?" in result.output
    assert len(grafana.dashboards[UID]["dashboard"]["panels"]) == panels


def test_yes_does_not_overwrite_a_change_by_hand(dashboards: Command, grafana: FakeGrafana) -> None:
    dashboards("--yes")
    grafana.edit(UID, title="mine")
    assert error(dashboards("--yes")).startswith("api: changed in Grafana, as shown above.")
    assert grafana.dashboards[UID]["dashboard"]["title"] == "mine"


def test_a_change_between_reading_and_writing_is_not_overwritten(dashboards: Command, grafana: FakeGrafana) -> None:
    dashboards("--yes")
    grafana.edit(UID, title="mine")
    grafana.before_save = lambda: grafana.edit(UID, title="theirs")
    assert error(dashboards()).startswith("api: somebody changed this dashboard in Grafana meanwhile")
    assert grafana.dashboards[UID]["dashboard"]["title"] == "theirs"


def test_another_dashboard_with_the_same_title_is_named(dashboards: Command, grafana: FakeGrafana) -> None:
    grafana.folders = {"mine": "Shop"}
    grafana.store({"uid": "other", "title": "api"}, folder="mine", message="", user="admin")
    assert error(dashboards("--yes")) == (
        "api: Grafana does not store this dashboard: A dashboard with the same name in the folder already exists"
    )


def test_versions_of_an_older_grafana_are_read(dashboards: Command, grafana: FakeGrafana) -> None:
    grafana.versions_in_object = False
    dashboards("--yes")
    grafana.edit(UID, title="mine")
    assert error(dashboards("--yes")).startswith("api: changed in Grafana, as shown above.")


def test_a_dashboard_in_another_folder_is_moved_back(dashboards: Command, grafana: FakeGrafana) -> None:
    dashboards("--yes")
    grafana.dashboards[UID]["folder"] = "other"
    assert dashboards().output.startswith("api: moves to the folder of the settings\n")
    assert grafana.dashboards[UID]["folder"] in grafana.folders


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"grafana": None}, "honeydue:grafana is not set: pulumi config set"),
        ({"monitoring": None}, "honeydue:monitoring is not set"),
        ({"grafanaToken": ""}, "honeydue:grafanaToken is missing: pulumi config set --secret honeydue:grafanaToken"),
        ({"grafanaToken": "glsa_other"}, "rejects honeydue:grafanaToken: pulumi config set --secret"),
    ],
)
def test_a_setting_that_is_missing_or_refused_is_named(
    dashboards: Command, values: dict[str, Any], changes: dict[str, Any], expected: str
) -> None:
    values.update(changes)
    result = dashboards()
    assert expected in error(result)
    assert len(result.output.splitlines()) == 1


def test_a_token_that_may_only_read_is_refused(dashboards: Command, grafana: FakeGrafana) -> None:
    grafana.role = "Viewer"
    assert error(dashboards()).endswith("give its service account the role Editor")


def test_grafana_that_does_not_respond_is_named(
    dashboards: Command, grafana: FakeGrafana, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grafana, "url", "http://127.0.0.1:9")
    assert error(dashboards()) == "http://127.0.0.1:9 cannot be reached (ConnectionError); try again"


def test_a_url_of_something_else_is_named(
    dashboards: Command, grafana: FakeGrafana, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grafana, "url", f"{grafana.url}/other")
    assert "returned 404" in error(dashboards()) or "base URL" in error(dashboards())


def test_differences_are_those_that_a_reader_notices() -> None:
    new: Json = {"title": "a", "panels": [{"title": "p", "x": 1, "empty": None}, {"title": "q"}]}
    stored: Json = {"title": "b", "id": 7, "panels": [{"title": "p", "x": 2}, {"title": "r"}]}
    assert [*differences(new, stored)] == [
        "adds the panel q",
        "removes the panel r",
        "changes the panel p",
        "changes title",
    ]
    assert [*differences(new, {**new, "id": 1, "panels": [{"title": "p", "x": 1}, {"title": "q", "id": 1}]})] == []
    assert not contains([1, 2], [1])
