"""Requests that several tests of the simulated Hetzner API send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.unit.clouds.api import Api, Response

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAII8wD1qgf9HH+Y4YiLUbtxNu3lP6XXur4ZT7Am0RODwn ops@example"
FIREWALL_RULE = {"direction": "in", "protocol": "tcp", "port": "443", "source_ips": ["173.245.48.0/20"]}


def create_server(api: Api, name: str = "server-1", *, wait: bool = True, **options: Any) -> Any:
    """Creates a server. With `wait`, returns when its actions have succeeded."""
    response = api("POST", "/servers", {"name": name, "server_type": "cx33", "image": "ubuntu-24.04", **options})
    assert response.status == 201, response.json
    if wait:
        for action in (response.json["action"], *response.json["next_actions"]):
            wait_for(api, action)
    return response.json["server"]


def wait_for(api: Api, action: Mapping[str, Any]) -> None:
    """Polls an action, which completes it."""
    assert api("GET", f"/actions/{action['id']}").json["action"]["status"] == "success"


def run_action(api: Api, path: str, body: object = None) -> None:
    """Starts an action and waits for its success."""
    response = api("POST", path, body)
    assert response.status == 201, response.json
    wait_for(api, response.json["action"])


def create_primary_ip(api: Api, name: str = "address", **options: Any) -> Any:
    response = api("POST", "/primary_ips", {"name": name, "type": "ipv4", "location": "nbg1", **options})
    assert response.status == 201, response.json
    return response.json["primary_ip"]


def create_network(api: Api, *subnets: str) -> Any:
    body = {
        "name": "private",
        "ip_range": "10.0.0.0/16",
        "subnets": [{"type": "cloud", "network_zone": "eu-central", "ip_range": subnet} for subnet in subnets],
    }
    return api("POST", "/networks", body).json["network"]


def error(response: Response) -> tuple[int, str]:
    """The HTTP status and the error code of a response."""
    return response.status, response.json["error"]["code"]
