"""Servers, addresses and the rest at Hetzner Cloud (https://docs.hetzner.cloud)."""

import base64
import binascii
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import hcloud
import requests

from infra.settings.secrets import SECRETS
from infra.settings.topology import Node
from ops.adoption.findings import Finding, Wanted
from ops.adoption.lookups import Lookup
from ops.errors import OpsError

API = "https://api.hetzner.cloud/v1"
ENDPOINT = "HCLOUD_ENDPOINT"
"""The variable by which Hetzner's own tools are led to another endpoint."""
TIMEOUT_SECONDS = 30.0
REFUSED = {"unauthorized", "forbidden", "token_readonly"}


class Hetzner:
    """Lookups by name; a node's address and its server by the address that the settings expect, as the console gave both other names.

    `nodes` are the machines of the settings by alias, which is also the name their resources have in the program.
    """

    def __init__(self, token: str, nodes: Mapping[str, Node]) -> None:
        self._endpoint = os.environ.get(ENDPOINT, API)
        self._client = hcloud.Client(token=token, api_endpoint=self._endpoint, timeout=TIMEOUT_SECONDS)
        self._nodes = nodes

    @property
    def lookups(self) -> Mapping[str, Lookup]:
        client = self._client
        return {
            "hcloud:index/primaryIp:PrimaryIp": self._asked(self._address),
            "hcloud:index/server:Server": self._asked(self._server),
            "hcloud:index/sshKey:SshKey": self._asked(self._ssh_key),
            "hcloud:index/firewall:Firewall": self._asked(
                lambda wanted: self._by_name(wanted, client.firewalls.get_all)
            ),
            "hcloud:index/network:Network": self._asked(lambda wanted: self._by_name(wanted, client.networks.get_all)),
            "hcloud:index/networkSubnet:NetworkSubnet": self._asked(self._subnet),
            "hcloud:index/placementGroup:PlacementGroup": self._asked(
                lambda wanted: self._by_name(wanted, client.placement_groups.get_all)
            ),
        }

    def _asked(self, lookup: Lookup) -> Lookup:
        def ask(wanted: Wanted) -> Finding:
            with self._readable_errors():
                return lookup(wanted)

        return ask

    def _by_name(self, wanted: Wanted, get_all: Callable[..., list]) -> Finding:  # type: ignore[type-arg]  # each client has a list of its own
        name = wanted.text("name")
        return Finding.one_of(
            {str(one.id): one.name for one in get_all(name=name)} if name else {}, f"are called {name}"
        )

    def _expected(self, wanted: Wanted) -> str | None:
        node = self._nodes.get(wanted.name)
        return str(node.ipv4) if node and node.ipv4 else None

    def _address(self, wanted: Wanted) -> Finding:
        expected = self._expected(wanted)
        if expected is None:
            return self._by_name(wanted, self._client.primary_ips.get_all)
        held = self._client.primary_ips.get_list(ip=expected).primary_ips
        return Finding.one_of({str(one.id): f"{expected}, called {one.name}" for one in held}, f"hold {expected}")

    def _server(self, wanted: Wanted) -> Finding:
        name, expected = wanted.text("name"), self._expected(wanted)
        fitting = {str(one.id): f"called {one.name}" for one in self._client.servers.get_all(name=name)} if name else {}
        if expected:
            for address in self._client.primary_ips.get_list(ip=expected).primary_ips:
                if address.assignee_id:
                    fitting.setdefault(str(address.assignee_id), f"has {expected}")
        return Finding.one_of(fitting, f"servers fit {name} or its address {expected}")

    def _subnet(self, wanted: Wanted) -> Finding:
        """By its range: it has no name, and its id is that of its network with the range."""
        wished = wanted.text("ipRange")
        networks = self._client.networks.get_all()
        fitting = {
            f"{one.id}-{wished}": f"{wished} of {one.name}"
            for one in networks
            for net in one.subnets or ()
            if net.ip_range == wished
        }
        return Finding.one_of(fitting, f"have the range {wished}")

    def _ssh_key(self, wanted: Wanted) -> Finding:
        """By the key itself: whoever uploaded it chose the name."""
        key, name = wanted.text("publicKey"), wanted.text("name")
        alike = self._client.ssh_keys.get_list(fingerprint=fingerprint(key)).ssh_keys if key else []
        if not alike and name and (other := self._client.ssh_keys.get_by_name(name)):
            return Finding.ambiguous(
                f"another key is called {name} (id {other.id}): rename it in Hetzner's console, or call ours otherwise"
            )
        return Finding.one_of({str(one.id): f"called {one.name}" for one in alike}, "are this key")

    @contextmanager
    def _readable_errors(self) -> Iterator[None]:
        try:
            yield
        except hcloud.APIException as error:
            if error.code in REFUSED:
                how = SECRETS["hetznerToken"].command
                raise OpsError(f"Hetzner refuses the token in honeydue:hetznerToken ({error.message}): {how}") from None
            raise OpsError(f"Hetzner's API answers {error.message} ({error.code})") from None
        except requests.RequestException as error:
            raise OpsError(
                f"Hetzner's API cannot be reached at {self._endpoint} ({type(error).__name__}); try again"
            ) from None


def fingerprint(public_key: str) -> str:
    """MD5 of the key, as Hetzner tells keys apart."""
    try:
        blob = base64.b64decode(public_key.split()[1], validate=True)
    except (IndexError, binascii.Error):
        raise OpsError("honeydue:sshKeys holds a key that is no OpenSSH public key") from None
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
