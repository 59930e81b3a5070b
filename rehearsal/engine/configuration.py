"""The world's copy of the stack's settings: the same in everything, but that its secrets are placeholders.

Of a cluster that is founded here the addresses differ too: its machines listen on loopback.

Round-tripped and not reprinted: a value must reach the engine exactly as it is written in production's file (`1e5` is a
number to one YAML reader and a tag to another), or the rehearsal would hide a mistake.
"""

import hashlib
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from infra.settings import apps, topology, types
from infra.settings.adopted import Adopted
from ops.stackfile import Document, load, store
from rehearsal.control_plane.flags import ClusterNetwork
from rehearsal.control_plane.nodes import LocalVolume, Node
from rehearsal.engine.placeholders import placeholder
from rehearsal.errors import RehearsalError
from rehearsal.loopback import LoopbackRanges

PROJECT = "honeydue"
ADOPTED = f"{PROJECT}:adopted"
_Shape = TypeVar("_Shape")
_ENCRYPTION = ("encryptionsalt", "encryptedkey", "secretsprovider")


@dataclass(frozen=True, kw_only=True)
class SecretSetting:
    """A value the world must set by the engine, encrypted: its path in the settings, and the key it belongs to."""

    path: str
    key: str


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """What the world is built from."""

    nodes: Mapping[str, Node]
    """By alias."""
    volumes: tuple[LocalVolume, ...]
    network: ClusterNetwork
    cluster_dns: str
    """The address of the cluster's DNS."""
    domain: str
    images: apps.Images
    database: apps.Database
    bootstrapped: bool
    """Whether the program makes the cluster, on servers that it creates."""


def settings_digest(file: Path) -> str:
    """Tells whether the settings have changed since the copy was made."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError as error:
        raise RehearsalError(f"no settings at {file}: run this in the checkout") from error


def copy_settings(source: Path, target: Path, secrets: Path, *, loopback: LoopbackRanges) -> list[SecretSetting]:
    """Copies the settings without their secrets, fills in what is plain, and returns what must be set encrypted.

    The salt of an earlier copy stays: what is encrypted with it is in the world's state. So does what was adopted in this world.
    """
    document = load(source)
    for name in _ENCRYPTION:
        document.pop(name, None)
    earlier = load(target) if target.exists() else {}
    if salt := earlier.get("encryptionsalt"):
        document["encryptionsalt"] = salt
    config = document.setdefault("config", {})
    founded_here = bool(config.get(f"{PROJECT}:cluster", {}).get("initNode"))
    if founded_here:
        _move_to_loopback(config, loopback)
    if adopted := (earlier.get("config") or {}).get(ADOPTED):
        config.setdefault(ADOPTED, adopted)
    missing = [SecretSetting(path=path, key=path.split(":", 1)[1].split(".", 1)[0]) for path in _drop_secrets(config)]
    held = {one.path for one in missing} | set(config)
    for key, secret in _required(founded_here=founded_here, snapshots=f"{PROJECT}:snapshots" in config).items():
        if f"{PROJECT}:{key}" in held:
            continue
        if secret:
            missing.append(SecretSetting(path=f"{PROJECT}:{key}", key=key))
        else:
            config[f"{PROJECT}:{key}"] = placeholder(key, secrets)
    store(document, target)
    return missing


def _move_to_loopback(config: Document, loopback: LoopbackRanges) -> None:
    cluster = config[f"{PROJECT}:cluster"]
    cluster["privateRange"] = str(loopback.private)
    # Of the real binary, and another one is downloaded here.
    cluster.pop("k3sSha256", None)
    for node in config.get(f"{PROJECT}:nodes", {}).values():
        # The simulated cloud chooses it.
        node.pop("ipv4", None)
        if private := node.get("privateIpv4"):
            node["privateIpv4"] = str(loopback.loopback_address(IPv4Address(private)))


def _drop_secrets(config: Document, prefix: str = "") -> Iterator[str]:
    """Removes every `{secure: …}`, at any depth, and names where it stood."""
    for key in list(config):
        path = f"{prefix}{key}"
        value = config[key]
        if isinstance(value, MutableMapping):
            if set(value) == {"secure"}:
                del config[key]
                yield path
            else:
                yield from _drop_secrets(value, f"{path}.")


def _required(*, founded_here: bool, snapshots: bool) -> Mapping[str, bool]:
    """The keys without a default, and whether each is secret: the program's own knowledge."""
    # Here and not above: it imports the Pulumi SDK, which most commands do not need.
    from infra.settings.secrets import required  # noqa: PLC0415

    return {key: needed.secret for key, needed in required(bootstrapped=founded_here, snapshots=snapshots).items()}


def read_stack_settings(file: Path) -> StackSettings:
    """What of the settings the world itself needs; a RehearsalError in the words of the program's own checks."""
    config = load(file).get("config") or {}

    def setting(key: str, shape: TypeAdapter[_Shape], otherwise: object = None) -> _Shape:
        value = config.get(f"{PROJECT}:{key}", otherwise)
        try:
            return shape.validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join([key, *(str(part) for part in first["loc"])])
            raise RehearsalError(f"{PROJECT}:{place} in {file.name}: {first['msg']}") from error

    nodes = setting("nodes", TypeAdapter(dict[str, topology.Node]))
    cluster = setting("cluster", TypeAdapter(topology.ClusterSettings))
    redis = setting("redis", TypeAdapter(apps.RedisSettings))
    claims = setting("adopted", TypeAdapter(Adopted), {}).volumes.values()
    first = next((str(node.ipv4) for node in nodes.values() if node.ipv4), "192.0.2.1")
    return StackSettings(
        nodes={
            alias: Node(
                hostname=node.hostname,
                ipv4=str(node.ipv4) if node.ipv4 else None,
                server_type=node.server_type,
                location=node.location,
            )
            for alias, node in nodes.items()
        },
        # Production's own volume is nowhere but in production: one of its name stands for it.
        volumes=tuple(
            LocalVolume(name=one.volume, storage_class=one.storage_class, size=one.storage, hostname=redis.node)
            for one in claims
            if one.volume
        ),
        network=ClusterNetwork(
            pod_cidr=str(cluster.pod_cidr),
            service_cidr=str(cluster.service_cidr),
            apiserver_cluster_ip=str(next(ip_network(cluster.service_cidr).hosts())),
            advertise_address=first,
            context=cluster.context,
        ),
        cluster_dns=str(cluster.cluster_dns),
        images=setting("images", TypeAdapter(apps.Images)),
        database=setting("database", TypeAdapter(apps.Database)),
        domain=setting("domain", TypeAdapter(types.Domain)),
        bootstrapped=cluster.bootstrapped,
    )
