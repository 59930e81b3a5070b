"""Pulumi's type tokens of the resources that several modules look for."""

SERVER = "hcloud:index/server:Server"
PRIMARY_IP = "hcloud:index/primaryIp:PrimaryIp"
FIREWALL = "hcloud:index/firewall:Firewall"
SERVERS = "honeydue:machines:Servers"
"""The component of all servers. Its inputs are the facts of existing nodes (infra/settings/node_facts.py)."""
