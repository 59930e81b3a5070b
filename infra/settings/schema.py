"""All settings of a stack except its secrets, and the rules that span several of them."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, ValidationInfo, field_validator

from infra.settings.adopted import Adopted
from infra.settings.apps import (
    DERIVED_VARIABLES,
    MAIL_HOST,
    MAIL_PORT,
    SECRET_VARIABLES,
    Images,
    RedisSettings,
    Scale,
)
from infra.settings.backups import BackupSettings, check_store
from infra.settings.database import Database
from infra.settings.grafana import GrafanaSettings
from infra.settings.logs import LogSettings, existing_namespaces
from infra.settings.maintenance import SnapshotSettings, UpgradeSettings
from infra.settings.model import Model
from infra.settings.monitoring import MonitoringSettings
from infra.settings.other_workloads import OtherWorkload
from infra.settings.prices import Prices
from infra.settings.topology import Access, ClusterSettings, Node, servers
from infra.settings.traces import CREDENTIALS, TracesSettings, conflicting_variables
from infra.settings.types import (
    PORTS,
    Count,
    Domain,
    Duration,
    Email,
    Hostname,
    PublicKey,
    PublicKeyPem,
    Registry,
    Text,
    VariableName,
    matching,
    not_empty,
    registry_host,
)
from infra.settings.uptime import UptimeSettings


class RateLimit(Model):
    """The requests that one client may send to one node: `average` per `period`, with bursts up to `burst`."""

    average: Count
    burst: Count
    period: Duration


class EdgeSettings(Model):
    """Cloudflare. The validities are those that Cloudflare's Origin CA offers.

    With the `client_certificate` "requested", Traefik logs the certificate of Cloudflare and verifies none. A running
    site starts like this, because Cloudflare takes some minutes to present a certificate that was just uploaded.
    `client_certificate_seen` is the authority of the certificate that was then in Traefik's access log.
    `make require-client-certificate` writes it together with "required" (ops/client_certificate.py).

    `dns_record_quota` is the number of records that the zone's plan allows. The default is that of a new zone on the
    Free plan (infra/settings/limits.py).
    """

    min_tls_version: Literal["1.2", "1.3"]
    origin_certificate_days: Literal[7, 30, 90, 365, 730, 1095, 5475]
    client_certificate: Literal["required", "requested"] = "required"
    client_certificate_seen: Annotated[str, matching(r"[0-9a-f]{16}", "16 hexadecimal digits")] | None = None
    rate_limit: RateLimit
    dns_record_quota: Count = 200

    @field_validator("client_certificate", mode="before")
    @classmethod
    def _renamed_value(cls, value: object) -> object:
        if value in ("asked", "optional"):
            raise ValueError("is now requested: Traefik requests a certificate and verifies none. Change the value")
        return value


class Settings(Model):
    """All settings except the secrets (infra/settings/secrets.py), so that no validation error can contain one."""

    domain: Domain
    nodes: Annotated[Mapping[Hostname, Node], AfterValidator(not_empty)]
    access: Access
    ssh_keys: Annotated[Mapping[Text, PublicKey], AfterValidator(not_empty)]
    cluster: ClusterSettings
    edge: EdgeSettings
    images: Images
    scale: Scale
    database: Database
    replacing: Hostname | None = None
    redis: RedisSettings
    environment: Mapping[VariableName, str]
    upgrades: UpgradeSettings | None = None
    snapshots: SnapshotSettings | None = None
    backups: BackupSettings | None = None
    monitoring: MonitoringSettings | None = None
    traces: TracesSettings | None = None
    grafana: GrafanaSettings | None = None
    uptime: UptimeSettings | None = None
    prices: Prices
    admin_email: Email
    email_user: Email
    registry_username: Text
    registry_mirror: Registry | None = None
    cosign_public_key: PublicKeyPem = ""
    require_digests: bool = False
    admin_uses_api_url: bool = False
    other_workloads: Mapping[Hostname, OtherWorkload] = {}
    adopted: Adopted = Adopted()
    logs: LogSettings | None = None

    @property
    def mail_port(self) -> int:
        """The port of Fastmail's SMTP server."""
        return int(self.environment[MAIL_PORT])

    @field_validator("nodes")
    @classmethod
    def _nodes_are_distinct(cls, value: Mapping[str, Node]) -> Mapping[str, Node]:
        for field in ("hostname", "ipv4", "private_ipv4"):
            aliases: dict[object, str] = {}
            for alias, node in value.items():
                name = getattr(node, field)
                if name is not None and (first := aliases.setdefault(name, alias)) != alias:
                    raise ValueError(f"{first} and {alias} have the same {field}, {name}")
        return value

    @field_validator("cluster")
    @classmethod
    def _cluster_matches_nodes(cls, value: ClusterSettings, info: ValidationInfo) -> ClusterSettings:
        nodes: Mapping[str, Node] = info.data.get("nodes", {})
        control_plane = servers(nodes)
        if nodes and value.init_node is not None and value.init_node not in control_plane:
            raise ValueError(
                f"initNode {value.init_node} is not a server of this stack; its servers are {', '.join(control_plane)}"
            )
        if value.network == "private":
            unreachable = [alias for alias, node in nodes.items() if node.private_ipv4 not in value.private_range]
            if unreachable:
                raise ValueError(
                    f"network private needs a privateIpv4 in {value.private_range} for {', '.join(unreachable)}"
                )
        return value

    @field_validator("replacing")
    @classmethod
    def _replacing_a_node(cls, value: str | None, info: ValidationInfo) -> str | None:
        nodes: Mapping[str, Node] = info.data.get("nodes", {})
        if nodes and value is not None and value not in nodes:
            raise ValueError(f"is not a node of this stack; its nodes are {', '.join(nodes)}")
        return value

    @field_validator("redis")
    @classmethod
    def _redis_on_a_node(cls, value: RedisSettings, info: ValidationInfo) -> RedisSettings:
        # The nodes as written and not as validated: an invalid node must not hide this mistake.
        nodes = (info.context or {}).get("nodes")
        hostnames = (
            [node.get("hostname") for node in nodes.values() if isinstance(node, Mapping)]
            if isinstance(nodes, Mapping)
            else []
        )
        if hostnames and value.node not in hostnames:
            raise ValueError(
                f"node {value.node} is not a node of this stack; its nodes are {', '.join(map(str, hostnames))}"
            )
        return value

    @field_validator("environment")
    @classmethod
    def _environment_is_not_derived(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        if duplicates := (DERIVED_VARIABLES | SECRET_VARIABLES) & value.keys():
            raise ValueError(f"{', '.join(sorted(duplicates))} comes from other settings; remove it here")
        return value

    @field_validator("environment")
    @classmethod
    def _environment_has_a_mail_port(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        port = value.get(MAIL_PORT, "")
        if not port.isdecimal() or int(port) not in PORTS:
            raise ValueError(f"{MAIL_PORT} must be a port number: the network policies open this port for mail")
        return value

    @field_validator("environment")
    @classmethod
    def _environment_has_no_credentials_of_traces(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        if names := [name for name in CREDENTIALS if name in value]:
            raise ValueError(
                f"{', '.join(names)} may contain a password, but environment is stored in plain text: set "
                "honeydue:traces and honeydue:tracesPassword, and remove it here"
            )
        return value

    @field_validator("require_digests")
    @classmethod
    def _images_have_digests(cls, value: bool, info: ValidationInfo) -> bool:
        images: Images | None = info.data.get("images")
        backups: BackupSettings | None = info.data.get("backups")
        if value and backups and "@" not in backups.image:
            raise ValueError("needs a digest in honeydue:backups.image, TAG@sha256:…")
        if value and images and (missing := images.without_digest):
            tags = " ".join(f"{app.upper()}={getattr(images, app)}" for app in missing)
            raise ValueError(
                f"needs a digest in honeydue:images for {', '.join(missing)}: set it to false, release by digest with "
                f"make release {tags}, and set it again"
            )
        return value

    @field_validator("registry_mirror")
    @classmethod
    def _mirror_is_another_registry(cls, value: str | None, info: ValidationInfo) -> str | None:
        images: Images | None = info.data.get("images")
        if value and images and registry_host(f"{value}/") == (host := registry_host(images.registry)):
            raise ValueError(f"is at {host}, the registry of honeydue:images, and would be away with it")
        return value

    @field_validator("snapshots")
    @classmethod
    def _snapshots_have_a_store(cls, value: SnapshotSettings | None, info: ValidationInfo) -> SnapshotSettings | None:
        environment: Mapping[str, str] | None = info.data.get("environment")
        if value is not None and environment is not None:
            check_store("snapshots", value.bucket, environment)
        return value

    @field_validator("backups")
    @classmethod
    def _backups_have_a_store(cls, value: BackupSettings | None, info: ValidationInfo) -> BackupSettings | None:
        environment: Mapping[str, str] | None = info.data.get("environment")
        if value is not None and environment is not None:
            check_store("backups", value.bucket, environment)
        return value

    @field_validator("backups")
    @classmethod
    def _backups_have_own_bucket(cls, value: BackupSettings | None, info: ValidationInfo) -> BackupSettings | None:
        snapshots: SnapshotSettings | None = info.data.get("snapshots")
        if value and snapshots and value.bucket == snapshots.bucket:
            raise ValueError(f"bucket {value.bucket} is that of the snapshots, whose key can delete the dumps")
        return value

    @field_validator("monitoring")
    @classmethod
    def _alerts_have_a_mail_server(
        cls, value: MonitoringSettings | None, info: ValidationInfo
    ) -> MonitoringSettings | None:
        environment: Mapping[str, str] | None = info.data.get("environment")
        if value is not None and value.alerts and environment is not None and not environment.get(MAIL_HOST):
            raise ValueError(f"needs {MAIL_HOST} in honeydue:environment: alerts are sent through the same mail server")
        return value

    @field_validator("traces")
    @classmethod
    def _traces_set_the_variables(cls, value: TracesSettings | None, info: ValidationInfo) -> TracesSettings | None:
        if value is not None and (names := conflicting_variables(info.data.get("environment", {}))):
            raise ValueError(
                f"sets {', '.join(names)}, but honeydue:environment has a value, too: remove it from "
                "honeydue:environment"
            )
        return value

    @field_validator("logs")
    @classmethod
    def _log_namespaces_exist(cls, value: LogSettings | None, info: ValidationInfo) -> LogSettings | None:
        others: Mapping[str, OtherWorkload] | None = info.data.get("other_workloads")
        if value is None or others is None or not {"monitoring", "upgrades"} <= info.data.keys():
            return value
        upgrades: UpgradeSettings | None = info.data.get("upgrades")
        existing = existing_namespaces(
            monitoring=info.data.get("monitoring"),
            upgrades=upgrades is not None and bool(upgrades.k3s),
            others=(workload.namespace for workload in others.values()),
        )
        if missing := [name for name in value.namespaces if name not in existing]:
            raise ValueError(
                f"namespaces contains {', '.join(missing)}, whose logs cannot be read: expected some of "
                f"{', '.join(existing)}, or the namespace of an entry of honeydue:otherWorkloads"
            )
        return value

    @field_validator("prices")
    @classmethod
    def _prices_cover_all_nodes(cls, value: Prices, info: ValidationInfo) -> Prices:
        types = {node.server_type for node in info.data.get("nodes", {}).values()}
        if missing := types - value.servers.keys():
            raise ValueError(f"servers has no price for {', '.join(sorted(missing))}")
        return value
