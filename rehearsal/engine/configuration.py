"""The stack settings of a world: copies production's settings file without its secrets, and reads the copy.

A copy differs from production's file only in its secrets, which are placeholders. Where the Pulumi program bootstraps
the cluster, the servers' addresses are on loopback too.

The copy preserves the text of every value. If it were parsed and printed again, it could hide a mistake: for example,
`1e5` is a number for one YAML parser and a string for another.
"""

import hashlib
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from dashboards import Dashboard, dashboards_of
from infra.settings import apps, shared_options, topology, types
from infra.settings.adopted import Adopted
from infra.settings.backups import BackupSettings
from infra.settings.database import Database
from infra.settings.logs import LogSettings
from infra.settings.messages import PROJECT, message
from infra.settings.model import Model
from infra.settings.monitoring import MonitoringSettings
from infra.settings.traces import TracesSettings
from ops.stackfile import Document, load, store
from rehearsal.control_plane.flags import ClusterNetwork
from rehearsal.control_plane.nodes import LocalVolume, Node, configuration_annotations
from rehearsal.engine.placeholders import placeholder
from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout
from rehearsal.loopback import LoopbackRanges

ADOPTED = f"{PROJECT}:adopted"
IMAGES = f"{PROJECT}:images"
MONITORING = f"{PROJECT}:monitoring"
LOGS = f"{PROJECT}:logs"
ADDRESS_IF_UNKNOWN = "192.0.2.1"
"""An address for documentation. Used where the settings contain no address, because Hetzner chooses all of them."""
_Value = TypeVar("_Value")
_Images = TypeVar("_Images", bound=Model)
_ENCRYPTION = ("encryptionsalt", "encryptedkey", "secretsprovider")


@dataclass(frozen=True, kw_only=True)
class SecretSetting:
    """A secret that the copy does not contain and that `pulumi config set --secret` must set."""

    path: str
    """The path in the settings file, for example `honeydue:registry.password`."""
    key: str
    """The top-level key without the project, for example `registry`."""


@dataclass(frozen=True, kw_only=True)
class Mailbox:
    """The mail server of the apps, and the account that sends mail. Without `user`, the account is a placeholder."""

    host: str
    port: int
    user: str | None


@dataclass(frozen=True, kw_only=True)
class Store:
    """The object store of the uploads and of the dumps."""

    host: str
    region: str


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """The settings that a world needs to start."""

    nodes: Mapping[str, Node]
    """By alias."""
    volumes: tuple[LocalVolume, ...]
    """The volumes of adopted claims."""
    network: ClusterNetwork
    cluster_dns: str
    """The cluster IP of the DNS Service."""
    domain: str
    images: apps.Images
    """Without digests: the images of real nodes are stand-ins."""
    database: Database
    bootstrapped: bool
    """Whether the Pulumi program bootstraps the cluster on servers that it creates."""
    monitoring: MonitoringSettings | None = None
    """Its images are without digests."""
    traces: TracesSettings | None = None
    logs: LogSettings | None = None
    """Its images are without digests."""
    backups: BackupSettings | None = None
    """Its image is without a digest."""
    store: Store | None = None
    """None if the settings name no object store."""
    mailbox: Mailbox | None = None
    """None if the settings name no mail server."""
    dashboards: Sequence[Dashboard] = ()
    """What vmui shows. Empty without monitoring."""


def settings_digest(file: Path) -> str:
    """SHA-256 of the settings file. A different digest means that the copy is out of date."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError as error:
        raise RehearsalError(f"{file} does not exist: run this command in the checkout") from error


def copy_settings(
    source: Path, target: Path, secrets: Path, *, loopback: LoopbackRanges, stand_in_images: bool = False
) -> list[SecretSetting]:
    """Copies the settings without secrets, adds placeholders for missing plain values, and returns the secrets to set.

    Two things of an existing copy are kept: the encryption salt, because secrets in the state are encrypted with it,
    and what was adopted in this world. `secrets` is the folder of generated placeholders. `stand_in_images` removes the
    digests of images, which the images that real nodes run in their place cannot have.
    """
    document = load(source)
    for name in _ENCRYPTION:
        document.pop(name, None)
    previous = load(target) if target.exists() else {}
    if salt := previous.get("encryptionsalt"):
        document["encryptionsalt"] = salt
    config = document.setdefault("config", {})
    bootstrapped = bool(config.get(f"{PROJECT}:cluster", {}).get("initNode"))
    if bootstrapped:
        _move_to_loopback(config, loopback)
    if stand_in_images:
        parts = [config.get(key, {}).get("images", {}) for key in (MONITORING, LOGS)]
        for images in (config.get(IMAGES, {}), *parts):
            images |= {name: str(value).partition("@")[0] for name, value in images.items() if "@" in str(value)}
    if adopted := (previous.get("config") or {}).get(ADOPTED):
        config.setdefault(ADOPTED, adopted)
    missing = [SecretSetting(path=path, key=path.split(":", 1)[1].split(".", 1)[0]) for path in _drop_secrets(config)]
    present = {secret.path for secret in missing} | set(config)
    settings = {key.removeprefix(f"{PROJECT}:"): value for key, value in config.items()}
    for key, is_secret in _required(settings).items():
        path = f"{PROJECT}:{key}"
        if path in present:
            continue
        if is_secret:
            missing.append(SecretSetting(path=path, key=key))
        else:
            config[path] = placeholder(key, secrets)
    store(document, target)
    return missing


def changed_in_copy(layout: Layout) -> Sequence[str]:
    """The paths of the values that were set in the world since its copy was made. Secrets are left out."""
    if not (layout.config.exists() and layout.copied_config.exists()):
        return []
    current, copied = (
        dict(_plain_values(load(file).get("config") or {})) for file in (layout.config, layout.copied_config)
    )
    return sorted(path for path in current | copied if current.get(path) != copied.get(path))


def _plain_values(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, nested in value.items():
            if key not in {"secure", ADOPTED}:
                yield from _plain_values(nested, f"{path}.{key}" if path else key)
    else:
        yield path, value


def _move_to_loopback(config: Document, loopback: LoopbackRanges) -> None:
    cluster = config[f"{PROJECT}:cluster"]
    cluster["privateRange"] = str(loopback.private)
    # The checksum of the k3s binary. A simulated machine downloads a script in its place.
    cluster.pop("k3sSha256", None)
    for node in config.get(f"{PROJECT}:nodes", {}).values():
        # The simulated cloud chooses the public address.
        node.pop("ipv4", None)
        if private := node.get("privateIpv4"):
            node["privateIpv4"] = str(loopback.loopback_address(IPv4Address(private)))


def _drop_secrets(config: Document, prefix: str = "") -> Iterator[str]:
    """Removes every `{secure: …}` at any depth, and yields its path."""
    for key in list(config):
        path = f"{prefix}{key}"
        value = config[key]
        if isinstance(value, MutableMapping):
            if set(value) == {"secure"}:
                del config[key]
                yield path
            else:
                yield from _drop_secrets(value, f"{path}.")


def _required(settings: Mapping[str, object]) -> Mapping[str, bool]:
    """The keys that only the operator can set, and whether each is secret."""
    # Imported here, because it loads the Pulumi SDK, which most commands do not need.
    from infra.settings.secrets import required  # noqa: PLC0415

    return {key: setting.secret for key, setting in required(settings).items()}


def read_stack_settings(file: Path) -> StackSettings:
    """Reads and validates the settings that a world needs. Raises a RehearsalError that names the invalid key."""
    config = load(file).get("config") or {}

    def read(key: str, adapter: TypeAdapter[_Value], default: object = None) -> _Value:
        value = config.get(f"{PROJECT}:{key}", default)
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            first["loc"] = (key, *first["loc"])
            raise RehearsalError(f"{file.name}: {message(first)}") from error

    nodes = read("nodes", TypeAdapter(dict[str, topology.Node]))
    cluster = read("cluster", TypeAdapter(topology.ClusterSettings))
    redis = read("redis", TypeAdapter(apps.RedisSettings))
    claims = read("adopted", TypeAdapter(Adopted), {}).volumes.values()
    environment = read("environment", TypeAdapter(dict[str, str]), {})
    metrics = read("monitoring", TypeAdapter(MonitoringSettings | None))
    logs = read("logs", TypeAdapter(LogSettings | None))
    backups = read("backups", TypeAdapter(BackupSettings | None))
    return StackSettings(
        nodes={
            alias: Node(
                hostname=node.hostname,
                ipv4=str(node.ipv4) if node.ipv4 else None,
                server_type=node.server_type,
                location=node.location,
                annotations=configuration_annotations(shared_options.configuration(cluster)),
            )
            for alias, node in nodes.items()
        },
        # In production the volume exists. The world creates one with the same name.
        volumes=tuple(
            LocalVolume(name=claim.volume, storage_class=claim.storage_class, size=claim.storage, hostname=redis.node)
            for claim in claims
            if claim.volume
        ),
        network=ClusterNetwork(
            pod_cidr=str(cluster.pod_cidr),
            service_cidr=str(cluster.service_cidr),
            apiserver_cluster_ip=str(next(ip_network(cluster.service_cidr).hosts())),
            advertise_address=next((str(node.ipv4) for node in nodes.values() if node.ipv4), ADDRESS_IF_UNKNOWN),
            context=cluster.context,
        ),
        cluster_dns=str(cluster.cluster_dns),
        images=_without_digests(read("images", TypeAdapter(apps.Images))),
        database=read("database", TypeAdapter(Database)),
        domain=read("domain", TypeAdapter(types.Domain)),
        bootstrapped=cluster.bootstrapped,
        monitoring=metrics and metrics.model_copy(update={"images": _without_digests(metrics.images)}),
        traces=read("traces", TypeAdapter(TracesSettings | None)),
        logs=logs and logs.model_copy(update={"images": _without_digests(logs.images)}),
        backups=backups and backups.model_copy(update={"image": backups.image.partition("@")[0]}),
        store=Store(host=environment[apps.STORE_ENDPOINT], region=environment[apps.STORE_REGION])
        if {apps.STORE_ENDPOINT, apps.STORE_REGION} <= environment.keys()
        else None,
        mailbox=Mailbox(
            host=environment[apps.MAIL_HOST],
            port=int(environment[apps.MAIL_PORT]),
            user=read("emailUser", TypeAdapter(str | None)),
        )
        if {apps.MAIL_HOST, apps.MAIL_PORT} <= environment.keys()
        else None,
        # The etcd of a rehearsal always has metrics.
        dashboards=dashboards_of(metrics, scale=read("scale", TypeAdapter(apps.Scale)).api, with_etcd=True)
        if metrics
        else (),
    )


def _without_digests(images: _Images) -> _Images:
    """The same tags. Images that are built elsewhere have other digests."""
    return images.model_copy(update={name: value.partition("@")[0] for name, value in images.model_dump().items()})
