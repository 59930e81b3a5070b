"""Looks up resources at Hetzner Cloud (https://docs.hetzner.cloud)."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import hcloud
import requests

from infra import hetzner
from infra.settings.secrets import SECRETS
from infra.settings.topology import Node
from ops.adoption.findings import Candidate, Finding
from ops.adoption.lookups import Lookup
from ops.errors import OpsError
from ops.plan import short_name
from ops.resource_types import FIREWALL, NETWORK, PLACEMENT_GROUP, PRIMARY_IP, SERVER, SSH_KEY, SUBNET

REJECTED_TOKEN = {"unauthorized", "forbidden", "token_readonly"}
"""Error codes of the API."""


class Hetzner:
    """Lookups by name. A node's server and primary IP are also looked up by the address in the settings.

    `nodes` are the nodes of the settings by alias. A node's resources have its alias as name in the program.
    """

    def __init__(self, token: str, nodes: Mapping[str, Node]) -> None:
        self._client = hetzner.client(token)
        self._nodes = nodes

    @property
    def lookups(self) -> Mapping[str, Lookup]:
        client = self._client
        return {
            PRIMARY_IP: self._with_readable_errors(self._primary_ip),
            SERVER: self._with_readable_errors(self._server),
            SSH_KEY: self._with_readable_errors(self._ssh_key),
            FIREWALL: self._with_readable_errors(self._by_name(client.firewalls.get_all)),
            NETWORK: self._with_readable_errors(self._by_name(client.networks.get_all)),
            SUBNET: self._with_readable_errors(self._subnet),
            PLACEMENT_GROUP: self._with_readable_errors(self._by_name(client.placement_groups.get_all)),
        }

    def _with_readable_errors(self, lookup: Lookup) -> Lookup:
        def look_up(candidate: Candidate) -> Finding:
            with self._readable_errors():
                return lookup(candidate)

        return look_up

    @staticmethod
    def _by_name(get_all: Callable[..., list]) -> Lookup:  # type: ignore[type-arg]  # each client has its own list type
        def look_up(candidate: Candidate) -> Finding:
            name = candidate.text("name")
            matches = {str(resource.id): resource.name for resource in get_all(name=name)} if name else {}
            return Finding.of_matches(matches, f"are named {name}")

        return look_up

    def other_firewalls(self, ids: Mapping[str, str]) -> Iterator[str]:
        """Firewalls of existing servers that the program does not declare, for example "Server::hetzner1: office".

        `ids` are those of existing resources by URN.
        """
        declared = {id_ for urn, id_ in ids.items() if f"{FIREWALL}::" in urn}
        with self._readable_errors():
            for urn, id_ in ids.items():
                if f"{SERVER}::" in urn:
                    network = self._client.servers.get_by_id(int(id_)).public_net
                    applied = network.firewalls or [] if network else []
                    for firewall in (entry.firewall for entry in applied):
                        if firewall.id and str(firewall.id) not in declared:
                            yield f"{short_name(urn)}: {self._client.firewalls.get_by_id(firewall.id).name}"

    def labels(self, type_: str, id_: str) -> Mapping[str, str]:
        """The labels of an existing resource. A subnet has none, so they are those of its network."""
        client = self._client
        get: Mapping[str, Callable[[int], Any]] = {
            PRIMARY_IP: client.primary_ips.get_by_id,
            SERVER: client.servers.get_by_id,
            SSH_KEY: client.ssh_keys.get_by_id,
            FIREWALL: client.firewalls.get_by_id,
            NETWORK: client.networks.get_by_id,
            SUBNET: client.networks.get_by_id,
            PLACEMENT_GROUP: client.placement_groups.get_by_id,
        }
        with self._readable_errors():
            return get[type_](int(id_.partition("-")[0])).labels or {}

    def address(self, primary_ip: str) -> str:
        """The address of an existing primary IP."""
        with self._readable_errors():
            return str(self._client.primary_ips.get_by_id(int(primary_ip)).ip)

    def is_attached(self, server: str) -> bool:
        """Whether a server is attached to a private network."""
        with self._readable_errors():
            return bool(self._client.servers.get_by_id(int(server)).private_net)

    def has_expected_address(self, candidate: Candidate) -> bool:
        """Whether the settings contain the address of this primary IP, by which it was then looked up."""
        return candidate.type == PRIMARY_IP and self._expected_address(candidate) is not None

    def _expected_address(self, candidate: Candidate) -> str | None:
        node = self._nodes.get(candidate.name)
        return str(node.ipv4) if node and node.ipv4 else None

    def _primary_ip(self, candidate: Candidate) -> Finding:
        expected = self._expected_address(candidate)
        if expected is None:
            return self._by_name(self._client.primary_ips.get_all)(candidate)
        primary_ips = self._client.primary_ips.get_list(ip=expected).primary_ips
        return Finding.of_matches(
            {str(ip.id): f"{expected}, named {ip.name}" for ip in primary_ips}, f"have address {expected}"
        )

    def _server(self, candidate: Candidate) -> Finding:
        name, expected = candidate.text("name"), self._expected_address(candidate)
        servers = self._client.servers.get_all(name=name) if name else []
        matches = {str(server.id): f"named {server.name}" for server in servers}
        if expected:
            for ip in self._client.primary_ips.get_list(ip=expected).primary_ips:
                if ip.assignee_id:
                    matches.setdefault(str(ip.assignee_id), f"has {expected}")
        return Finding.of_matches(matches, f"servers have the name {name} or the address {expected}")

    def _subnet(self, candidate: Candidate) -> Finding:
        """By its range. A subnet has no name, and its id consists of the network's id and the range."""
        ip_range = candidate.text("ipRange")
        matches = {
            f"{network.id}-{ip_range}": f"{ip_range} of {network.name}"
            for network in self._client.networks.get_all()
            for subnet in network.subnets or ()
            if subnet.ip_range == ip_range
        }
        return Finding.of_matches(matches, f"have the range {ip_range}")

    def _ssh_key(self, candidate: Candidate) -> Finding:
        """By the key itself, because its name was chosen at the upload."""
        key, name = candidate.text("publicKey"), candidate.text("name")
        keys = self._client.ssh_keys.get_list(fingerprint=fingerprint(key)).ssh_keys if key else []
        if not keys and name and (other := self._client.ssh_keys.get_by_name(name)):
            return Finding.ambiguous(
                f"another key is named {name} (id {other.id}). "
                "Rename it in Hetzner's console, or give this key another name in honeydue:sshKeys"
            )
        return Finding.of_matches({str(match.id): f"named {match.name}" for match in keys}, "are this key")

    @contextmanager
    def _readable_errors(self) -> Iterator[None]:
        try:
            yield
        except hcloud.APIException as error:
            if error.code in REJECTED_TOKEN:
                raise OpsError(
                    f"Hetzner rejects the token in honeydue:hetznerToken ({error.message}): "
                    f"{SECRETS['hetznerToken'].command}"
                ) from None
            raise OpsError(f"Hetzner's API returned {error.message} ({error.code})") from None
        except requests.RequestException as error:
            raise OpsError(
                f"Hetzner's API cannot be reached at {hetzner.endpoint()} ({type(error).__name__}); try again"
            ) from None


def fingerprint(public_key: str) -> str:
    """The key's MD5 fingerprint, by which Hetzner's API finds keys."""
    try:
        blob = base64.b64decode(public_key.split()[1], validate=True)
    except (IndexError, binascii.Error):
        raise OpsError("honeydue:sshKeys contains a value that is not an OpenSSH public key") from None
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[start : start + 2] for start in range(0, len(digest), 2))
