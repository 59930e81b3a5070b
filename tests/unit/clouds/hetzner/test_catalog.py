"""The simulated Hetzner API: locations, images, server types and prices, and the vendor's Python client."""

from __future__ import annotations

from pathlib import Path

import hcloud
import pytest
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType

from rehearsal.clouds import app, endpoints
from rehearsal.clouds.account import read_account
from tests.unit.clouds.api import HETZNER_TOKEN, Api, account
from tests.unit.clouds.hetzner.requests import PUBLIC_KEY, error


def test_the_catalog_lists_locations_images_types_and_prices(api: Api) -> None:
    assert [item["name"] for item in api("GET", "/locations").json["locations"]][:3] == ["fsn1", "nbg1", "hel1"]
    (image,) = api("GET", "/images?name=ubuntu-24.04&architecture=x86&include_deprecated=true").json["images"]
    assert api("GET", f"/images/{image['id']}").json["image"] == image
    (server_type,) = api("GET", "/server_types?name=cx33").json["server_types"]
    assert api("GET", f"/server_types/{server_type['id']}").json["server_type"] == server_type
    prices = api("GET", "/pricing").json["pricing"]["server_types"]
    (priced,) = (item for item in prices if item["name"] == "cx33")
    assert priced["prices"][0]["price_monthly"]["net"] == "6.4900"
    assert error(api("GET", "/datacenters")) == (410, "deprecated_api_endpoint")


def test_the_client_of_the_vendor_works(tmp_path: Path) -> None:
    account(tmp_path)
    http_server = app.serve(tmp_path)
    try:
        url = endpoints.urls(http_server.server_port)["hcloud"]
        client = hcloud.Client(token=HETZNER_TOKEN, api_endpoint=url, poll_interval=0.01)
        key = client.ssh_keys.create(name="ops", public_key=PUBLIC_KEY)
        created = client.servers.create(
            name="server-1",
            server_type=ServerType(name="cx33"),
            image=Image(name="ubuntu-24.04"),
            location=Location(name="nbg1"),
            ssh_keys=[key],
        )
        created.action.wait_until_finished()
        for action in created.next_actions:
            action.wait_until_finished()
        server = client.servers.get_by_name("server-1")
        assert server is not None
        assert (server.status, server.name) == ("running", "server-1")
        server.power_off().wait_until_finished()
        server.change_type(ServerType(name="cx43"), upgrade_disk=False).wait_until_finished()
        server.change_protection(delete=True, rebuild=True).wait_until_finished()
        assert client.primary_ips.get_list(ip="203.0.113.1").primary_ips[0].assignee_id == server.id
        assert [item.name for item in client.server_types.get_all(name="cx33")] == ["cx33"]
        with pytest.raises(hcloud.APIException) as raised:
            client.servers.get_by_id(4711)
        assert raised.value.code == "not_found"
    finally:
        http_server.shutdown()
    assert read_account(tmp_path).tokens[0].value == HETZNER_TOKEN
