"""Requests to Hetzner's API that the provider does not send. Importing this module takes a quarter of a second."""

import os
from collections.abc import Callable, Mapping
from typing import TypeAlias

import hcloud
import requests
from hcloud.networks import BoundNetwork
from hcloud.primary_ips import BoundPrimaryIP
from hcloud.servers import BoundServer

Protected: TypeAlias = BoundServer | BoundPrimaryIP | BoundNetwork

API = "https://api.hetzner.cloud/v1"
ENDPOINT = "HCLOUD_ENDPOINT"
"""The environment variable with which Hetzner's own tools, the provider included, select another endpoint."""
TIMEOUT_SECONDS = 30.0
POLL_SECONDS = 0.5
"""Between two requests for the state of an action. The provider waits as long."""
ERRORS = (hcloud.HCloudException, requests.RequestException)
"""What a client raises when the API refuses, or cannot be reached."""


def endpoint() -> str:
    """The URL of the API, as the provider chooses it."""
    return os.environ.get(ENDPOINT) or API


def client(token: str) -> hcloud.Client:
    """Hetzner's own client."""
    return hcloud.Client(token=token, api_endpoint=endpoint(), timeout=TIMEOUT_SECONDS, poll_interval=POLL_SECONDS)


def creation_problem(api: hcloud.Client, *, server_type: str, location: str, image: str) -> str | None:
    """Why Hetzner would refuse to create such a server, or None. Whether it is sold out is not checked."""
    if api.locations.get_by_name(location) is None:
        return f"there is no location {location}"
    offered = api.server_types.get_by_name(server_type)
    if offered is None:
        return f"there is no server type {server_type}"
    if location not in [offer.location.name for offer in offered.locations or []]:
        return f"server type {server_type} is not offered in {location}"
    # Names of several architectures are equal. The state of an adopted server may contain the id of the image.
    images = api.images.get_all(architecture=[offered.architecture or ""], include_deprecated=True)
    if not any(image in (known.name, str(known.id)) for known in images):
        return f"there is no image {image} for {offered.architecture}"
    return None


def lift_protection(api: hcloud.Client, kind: str, id_: int, *, dry_run: bool) -> None:
    """Allows the deletion of a server, primary IP or network. `kind` is "Server", "PrimaryIp" or "Network".

    A resource that no longer exists is no error. A dry run reads the resource and changes nothing.
    """
    get: Mapping[str, Callable[[int], Protected]] = {
        "Server": api.servers.get_by_id,
        "PrimaryIp": api.primary_ips.get_by_id,
        "Network": api.networks.get_by_id,
    }
    try:
        resource = get[kind](id_)
    except hcloud.APIException as error:
        if error.code == "not_found":
            return
        raise
    if dry_run or not resource.protection or not resource.protection["delete"]:
        return
    # Hetzner requires the same protection of a server against a rebuild.
    action = (
        resource.change_protection(delete=False, rebuild=False)
        if isinstance(resource, BoundServer)
        else resource.change_protection(delete=False)
    )
    action.wait_until_finished()
