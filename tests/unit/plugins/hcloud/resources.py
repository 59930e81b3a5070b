"""Resources that several tests of the simulated hcloud plugin create."""

from __future__ import annotations

from typing import Any

from tests.unit.plugins.engine import Engine, Resource

FIREWALL = "hcloud:index/firewall:Firewall"
SERVER = "hcloud:index/server:Server"
PRIMARY_IP = "hcloud:index/primaryIp:PrimaryIp"
NETWORK = "hcloud:index/network:Network"
SUBNET = "hcloud:index/networkSubnet:NetworkSubnet"
SERVER_NETWORK = "hcloud:index/serverNetwork:ServerNetwork"
RULE = {"direction": "in", "protocol": "tcp", "port": "443", "sourceIps": ["173.245.48.0/20", "2400:cb00::/32"]}
USER_DATA = "#cloud-config topsecretvalue\n"


def create_primary_ip(hcloud: Engine, name: str = "hetzner1", **options: Any) -> Resource:
    return hcloud.create(PRIMARY_IP, {"name": name, "type": "ipv4", "location": "nbg1", "autoDelete": False, **options})


def create_server(hcloud: Engine, **options: Any) -> Resource:
    return hcloud.create(
        SERVER, {"name": "ubuntu-1", "serverType": "cx33", "image": "ubuntu-24.04", "location": "nbg1", **options}
    )
