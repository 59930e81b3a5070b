"""The simulated Hetzner API: actions run asynchronously and lock their server."""

from __future__ import annotations

import pytest

from rehearsal.clouds.hetzner import actions
from tests.unit.clouds.api import Api
from tests.unit.clouds.hetzner.requests import create_server, error


def test_an_action_succeeds_when_it_is_polled(api: Api) -> None:
    response = api("POST", "/servers", {"name": "server-1", "server_type": "cx33", "image": "ubuntu-24.04"}).json
    action, server = response["action"], f"/servers/{response['server']['id']}"
    assert (action["command"], action["status"], action["progress"]) == ("create_server", "running", 0)
    assert (response["server"]["status"], response["server"]["locked"]) == ("initializing", True)
    ids = "&".join(f"id={item['id']}" for item in (action, *response["next_actions"]))
    read = api("GET", f"/actions?{ids}").json["actions"]
    assert [(item["status"], item["progress"]) for item in read] == [("success", 100), ("success", 100)]
    assert read[0]["resources"] == [{"id": response["server"]["id"], "type": "server"}]
    completed = api("GET", server).json["server"]
    assert (completed["status"], completed["locked"]) == ("running", False)
    assert len(api("GET", f"{server}/actions").json["actions"]) == 2
    assert error(api("GET", "/actions")) == (410, "deprecated_api_endpoint")
    assert error(api("GET", "/actions/4711")) == (404, "not_found")


def test_an_action_succeeds_after_a_time_without_polls(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "SECONDS", 0)
    server = create_server(api, wait=False)
    assert api("GET", f"/servers/{server['id']}").json["server"]["status"] == "running"


def test_a_server_is_locked_while_an_action_runs_on_it(api: Api) -> None:
    path = f"/servers/{create_server(api, wait=False)['id']}"
    assert error(api("POST", f"{path}/actions/poweroff")) == (423, "locked")
    assert error(api("DELETE", path)) == (423, "locked")
