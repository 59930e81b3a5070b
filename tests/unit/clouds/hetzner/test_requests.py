"""The simulated Hetzner API: tokens, the rate limit, and errors of invalid requests."""

from __future__ import annotations

import time
from pathlib import Path

from rehearsal.clouds.account import Account, Token, write_account
from rehearsal.clouds.hetzner.authentication import RATE_LIMIT, RateLimit
from tests.unit.clouds.api import Api
from tests.unit.clouds.hetzner.requests import create_primary_ip, create_server, error


def test_a_request_with_an_unknown_token_is_unauthorized(api: Api, tmp_path: Path) -> None:
    assert error(Api("hetzner", tmp_path, token="another")("GET", "/servers")) == (401, "unauthorized")
    assert api("GET", "/servers").status == 200


def test_a_read_only_token_cannot_change_anything(tmp_path: Path) -> None:
    write_account(tmp_path, Account(tokens=[Token("hetzner", "reader", ["read"])]))
    reader = Api("hetzner", tmp_path, token="reader")
    assert reader("GET", "/ssh_keys").status == 200
    for method, path in (("POST", "/ssh_keys"), ("PUT", "/ssh_keys/1"), ("DELETE", "/ssh_keys/1")):
        assert error(reader(method, path, {})) == (403, "token_readonly")


def test_a_project_may_send_3600_requests_per_hour(api: Api) -> None:
    headers = api("GET", "/servers").headers
    assert (headers["RateLimit-Limit"], headers["RateLimit-Remaining"]) == ("3600", "3599")
    assert int(headers["RateLimit-Reset"]) >= int(time.time())
    api.app.extensions[RATE_LIMIT] = RateLimit(limit=1)
    assert api("GET", "/servers").status == 200
    response = api("GET", "/servers")
    assert error(response) == (429, "rate_limit_exceeded")
    assert response.headers["RateLimit-Remaining"] == "0"


def test_an_error_names_a_path_that_is_not_simulated(api: Api, tmp_path: Path) -> None:
    response = api("POST", "/load_balancers", {})
    assert error(response) == (404, "not_found")
    assert "POST /v1/load_balancers" in response.json["error"]["message"]
    api("POST", f"/servers/{create_server(api)['id']}/actions/create_image", {})
    assert (tmp_path / "not-simulated.txt").read_text().splitlines() == [
        "POST /v1/load_balancers",
        "POST /v1/servers/1001/actions/create_image",
    ]


def test_an_error_names_the_invalid_field(api: Api) -> None:
    response = api("POST", "/ssh_keys", {"name": "ops"})
    assert error(response) == (422, "invalid_input")
    assert response.json["error"]["details"]["fields"][0]["name"] == "public_key"
    assert error(api("POST", "/ssh_keys", [])) == (400, "json_error")


def test_an_unknown_id_is_not_found(api: Api) -> None:
    for collection in ("servers", "primary_ips", "ssh_keys", "placement_groups", "firewalls", "networks"):
        for method in ("GET", "DELETE"):
            assert error(api(method, f"/{collection}/4711")) == (404, "not_found")
        assert error(api("PUT", f"/{collection}/4711", {"name": "a"})) == (404, "not_found")


def test_a_failed_request_changes_nothing(api: Api, tmp_path: Path) -> None:
    address = create_primary_ip(api)
    before = (tmp_path / "hetzner.json").read_text()
    response = api(
        "POST",
        "/servers",
        {
            "name": "a",
            "server_type": "cx33",
            "image": "debian-12",
            "networks": [99],
            "public_net": {"ipv4": address["id"]},
        },
    )
    assert response.status == 404
    assert (tmp_path / "hetzner.json").read_text() == before
