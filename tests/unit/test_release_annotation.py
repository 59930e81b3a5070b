"""A release is an annotation in Grafana, and succeeds without one."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infra.settings.loading import SettingsError
from ops.__main__ import cli
from ops.release import annotation
from tests.recipes import EXAMPLE
from tests.unit.capture import full_settings, run
from tests.unit.fake_engine import fake_engine, plan, update

OLD, NEW = "0000000000", "0a1b2c3d4e"
TOKEN = "glsa-of-the-test"
DOMAIN = "example.com"


@dataclass(kw_only=True)
class Grafana:
    """A running server that stores annotations."""

    url: str = ""
    status: int = 200
    annotations: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def grafana(monkeypatch: pytest.MonkeyPatch) -> Iterator[Grafana]:
    with serve_grafana() as server:
        # The setting accepts https only.
        monkeypatch.setattr(annotation, "grafana_url", lambda _: server.url)
        yield server


@contextmanager
def serve_grafana() -> Iterator[Grafana]:
    grafana = Grafana()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            authorized = self.headers["Authorization"] == f"Bearer {TOKEN}"
            status = grafana.status if authorized else 401
            if self.path == "/api/annotations" and status == 200:
                grafana.annotations.append(body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b'{"message": "Annotation added", "id": 1}')

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        grafana.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield grafana
        server.shutdown()


class Commands:
    """Runs commands against an engine whose settings have an image of api, before and after a release."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._monkeypatch = folder, monkeypatch
        file = folder / "Pulumi.prod.yaml"
        file.write_text((EXAMPLE / "Pulumi.prod.yaml").read_text())
        monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(file))

    def run(
        self,
        *arguments: str,
        failing: str = "none",
        first: bool = False,
        tag: str = NEW,
        settings: Mapping[str, object] = MappingProxyType({}),
    ) -> Result:
        config = {"honeydue:grafana": '{"url": "https://grafana.example.com"}'}
        values = {"domain": DOMAIN, "grafana": {}, "grafanaToken": TOKEN, "images": {"registry": "r", "api": tag}}
        with fake_engine(
            self._folder,
            self._monkeypatch,
            plan={**plan("update"), "config": {**plan()["config"], **config}},
            settings={**values, **settings},
            failing=failing,
            history=[] if first else [update(api=OLD)],
            records=update("failed" if failing == "up" else "succeeded", time="11:00"),
        ):
            return CliRunner().invoke(cli, [arguments[0], "--stack", "prod", "--yes", *arguments[1:]])


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(tmp_path, monkeypatch)


@pytest.mark.parametrize("command", [("release", "--api", NEW), ("up",)])
def test_a_release_is_an_annotation_of_its_duration(
    command: tuple[str, ...], commands: Commands, grafana: Grafana
) -> None:
    result = commands.run(*command)
    assert result.exit_code == 0, result.output
    (posted,) = grafana.annotations
    assert posted["tags"] == ["release", DOMAIN]
    assert posted["text"].startswith(f"Released api {OLD} → {NEW} in ")
    assert 0 <= posted["timeEnd"] - posted["time"] < 60_000
    assert "Grafana" not in result.output


def test_the_first_up_is_a_release(commands: Commands, grafana: Grafana) -> None:
    assert commands.run("up", first=True).exit_code == 0
    assert grafana.annotations[0]["text"].startswith(f"Released api {NEW} in ")


def test_an_up_without_another_image_is_no_release(commands: Commands, grafana: Grafana) -> None:
    assert commands.run("up", tag=f"{OLD}@sha256:{'0' * 64}").exit_code == 0
    assert grafana.annotations == []


def test_a_release_that_failed_is_an_annotation(commands: Commands, grafana: Grafana) -> None:
    assert commands.run("up", failing="up").exit_code == 1
    assert grafana.annotations[0]["text"].startswith(f"Failed release of api {OLD} → {NEW} in ")


@pytest.mark.parametrize(
    ("settings", "status", "reason"),
    [
        ({"grafanaToken": "wrong"}, 200, "rejects honeydue:grafanaToken: pulumi config set --secret"),
        ({"grafanaToken": ""}, 200, "honeydue:grafanaToken is missing: pulumi config set --secret"),
        ({}, 403, "refuses POST /api/annotations with honeydue:grafanaToken: give its service account the role Editor"),
        ({}, 404, "returned 404 for POST /api/annotations: Annotation added; check honeydue:grafana.url"),
        ({}, 302, "returned 302 for POST /api/annotations: Annotation added; check honeydue:grafana.url"),
    ],
)
def test_a_release_without_its_annotation_succeeds_with_one_line(
    settings: dict[str, str], status: int, reason: str, commands: Commands, grafana: Grafana
) -> None:
    grafana.status = status
    result = commands.run("release", "--api", NEW, settings=settings)
    assert result.exit_code == 0, result.output
    (line,) = (line for line in result.output.splitlines() if "not marked in Grafana" in line)
    assert line.startswith("the release is not marked in Grafana: ")
    assert reason in line
    assert "wrong" not in line
    assert "Released. Commit" in result.output


def test_a_grafana_that_is_away_is_one_line(commands: Commands, grafana: Grafana) -> None:
    grafana.url = "http://127.0.0.1:9"
    result = commands.run("up")
    assert result.exit_code == 0
    assert "not marked in Grafana: http://127.0.0.1:9 cannot be reached (ConnectionError)" in result.output


def test_an_invalid_setting_is_one_line(commands: Commands) -> None:
    result = commands.run("up", settings={"grafana": {"url": "http://grafana.example.com"}})
    assert result.exit_code == 0
    assert "not marked in Grafana: honeydue:grafana is invalid, as make preview explains" in result.output


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"honeydue:grafana": {"url": "http://grafana.example.com"}}, "honeydue:grafana.url holds 'http://"),
        ({"honeydue:grafana": {"url": "https://grafana.example.com", "token": "x"}}, "grafana.token is not a setting"),
        ({"honeydue:grafanaToken": ""}, "honeydue:grafanaToken is missing"),
    ],
)
def test_a_wrong_setting_of_grafana_is_one_line(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(SettingsError) as error:
        run({**full_settings(), **changes})
    (line,) = str(error.value).splitlines()[1:]
    assert expected in line
