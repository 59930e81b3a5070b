"""The shape of the settings: what each may hold, and the facts that must agree with each other.

A check that spans two settings stands on one of them and says nothing while the other is itself in error. Keys are camelCase
in YAML, snake_case here.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from infra.settings.adopted import Adopted
from infra.settings.maintenance import SnapshotSettings, UpgradeSettings
from infra.settings.model import Model
from infra.settings.topology import Access, ClusterSettings, Node, servers
from infra.settings.types import Domain, Duration, Email, Hostname, Image, PublicKey, PublicKeyPem, Quantity, Tag, some

Replicas = Annotated[int, Field(ge=1)]


class RateLimit(Model):
    """Requests of one visitor at one node: `average` a `period`, and `burst` at once."""

    average: Annotated[int, Field(ge=1)]
    burst: Annotated[int, Field(ge=1)]
    period: Duration


class EdgeSettings(Model):
    """Cloudflare, and what the origin asks of it (book ch13). The validities are those its Origin CA offers.

    `client_certificate` is "asked" for the first `up` of a site that runs: Cloudflare takes some minutes to show a certificate
    that it was just given.
    """

    min_tls_version: Literal["1.2", "1.3"]
    origin_certificate_days: Literal[7, 30, 90, 365, 730, 1095, 5475]
    client_certificate: Literal["required", "asked"] = "required"
    rate_limit: RateLimit


App = Literal[
    "api",
    "worker",
    "admin",
    "web",
]
"""The apps whose images we build."""


class Images(Model):
    """The release (book ch11)."""

    registry: str
    api: Tag
    worker: Tag
    admin: Tag
    web: Tag
    redis: Image

    @property
    def other_repositories(self) -> tuple[str, ...]:
        """What runs here and is not ours."""
        return (self.redis.rpartition(":")[0],)

    def reference(self, app: App) -> str:
        """The full image reference of one of our own apps."""
        return f"{self.registry}/honeydue-{app}:{getattr(self, app)}"


class Autoscaling(Model):
    """Bounds of a HorizontalPodAutoscaler and the CPU use it aims at, in percent of the request."""

    min: Replicas
    max: Replicas
    cpu_percent: Annotated[int, Field(ge=1, le=100)]

    @field_validator("max")
    @classmethod
    def _ordered(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("min", value):
            raise ValueError(f"must be at least min, {info.data['min']}")
        return value


class Scale(Model):
    """How many of each (book ch07). worker and redis are not here: both are one by nature."""

    api: Autoscaling
    admin: Replicas
    web: Replicas


class Database(Model):
    """Neon Postgres (book ch08). `endpoint` switches api and worker; migrations always take the direct host."""

    pooler_host: Domain
    endpoint: Literal["pooler", "direct"] = "pooler"
    port: int = 5432
    name: str
    user: str
    ssl_mode: Literal["require", "verify-full"] = "require"
    max_idle_connections: int
    max_lifetime: str
    max_idle_time: str
    migration_deadline_seconds: Annotated[int, Field(ge=10, le=3600)]

    @field_validator("pooler_host")
    @classmethod
    def _is_the_pooler(cls, value: str) -> str:
        if not value.split(".", maxsplit=1)[0].endswith("-pooler"):
            raise ValueError(
                "is Neon's direct host; give the pooler's, whose first label ends in -pooler (the direct one follows from it)"
            )
        return value

    @property
    def direct_host(self) -> str:
        """The compute itself: a session lock does not survive the pooler's transaction mode."""
        return self.pooler_host.replace("-pooler.", ".", 1)

    @property
    def host(self) -> str:
        return self.pooler_host if self.endpoint == "pooler" else self.direct_host


class RedisSettings(Model):
    """Redis (book ch07): its volume is local to one node, named by its hostname."""

    node: Hostname
    storage: Quantity
    memory_mi: Annotated[int, Field(ge=64)]


class Prices(Model):
    """List prices of a day; net, per month. A server's is by its type."""

    as_of: str
    currency: str
    servers: Mapping[str, float]
    primary_ipv4: float
    services: Mapping[str, float]

    def month(self, server_types: Iterable[str]) -> float:
        """A month of these servers, each with its address, and of the services."""
        return round(
            sum(self.servers[one] + self.primary_ipv4 for one in server_types) + sum(self.services.values()), 2
        )


DERIVED = {
    "DB_HOST",
    "DB_DIRECT_HOST",
    "DB_PORT",
    "POSTGRES_DB",
    "POSTGRES_USER",
    "DB_SSLMODE",
    "DB_MAX_IDLE_CONNS",
    "DB_MAX_LIFETIME",
    "DB_MAX_IDLE_TIME",
    "REDIS_HOST",
    "REDIS_PORT",
    "ADMIN_EMAIL",
    "EMAIL_HOST_USER",
    "ALLOWED_HOSTS",
    "APNS_AUTH_KEY_PATH",
}
"""Variables that follow from other settings (infra/apps/config.py); given twice, one of the two would silently win."""
SECRET = {
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "SECRET_KEY",
    "ADMIN_PASSWORD",
    "EMAIL_HOST_PASSWORD",
    "B2_KEY_ID",
    "B2_APP_KEY",
}
"""Variables whose place is the Secret; here they would stand in plain text."""
MAIL_PORT = "EMAIL_PORT"
STORE_ENDPOINT, STORE_REGION, UPLOADS = "B2_ENDPOINT", "B2_REGION", "B2_BUCKET_NAME"


class Settings(Model):
    """The whole stack but its secrets, which no model, and so no error message, ever holds (`infra.settings.loading.Secrets`)."""

    domain: Domain
    nodes: Annotated[Mapping[Hostname, Node], AfterValidator(some)]
    access: Access
    ssh_keys: Annotated[Mapping[str, PublicKey], AfterValidator(some)]
    cluster: ClusterSettings
    edge: EdgeSettings
    images: Images
    scale: Scale
    database: Database
    replacing: Hostname | None = None
    redis: RedisSettings
    environment: Mapping[str, str]
    upgrades: UpgradeSettings | None = None
    snapshots: SnapshotSettings | None = None
    prices: Prices
    admin_email: Email
    email_user: Email
    registry_username: str
    cosign_public_key: PublicKeyPem | Literal[""] = ""
    adopted: Adopted = Adopted()

    @field_validator("nodes")
    @classmethod
    def _distinct(cls, value: Mapping[str, Node]) -> Mapping[str, Node]:
        for what in ("hostname", "ipv4", "private_ipv4"):
            owners: dict[object, str] = {}
            for alias, node in value.items():
                held = getattr(node, what)
                if held is not None and (first := owners.setdefault(held, alias)) != alias:
                    raise ValueError(f"{first} and {alias} have the same {what}, {held}")
        return value

    @field_validator("cluster")
    @classmethod
    def _of_these_nodes(cls, value: ClusterSettings, info: ValidationInfo) -> ClusterSettings:
        nodes: Mapping[str, Node] = info.data.get("nodes", {})
        if (
            nodes
            and value.founder is not None
            and (value.founder not in nodes or nodes[value.founder].role != "server")
        ):
            raise ValueError(
                f"founder {value.founder} is no server of this stack; its servers are {', '.join(servers(nodes))}"
            )
        if value.network == "private":
            outside = [alias for alias, node in nodes.items() if node.private_ipv4 not in value.private_range]
            if outside:
                raise ValueError(
                    f"network private needs a privateIpv4 in {value.private_range} for {', '.join(outside)}"
                )
        return value

    @field_validator("replacing")
    @classmethod
    def _a_node(cls, value: str | None, info: ValidationInfo) -> str | None:
        nodes: Mapping[str, Node] = info.data.get("nodes", {})
        if nodes and value is not None and value not in nodes:
            raise ValueError(f"is no node of this stack; its nodes are {', '.join(nodes)}")
        return value

    @field_validator("environment")
    @classmethod
    def _not_derived(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        if twice := (DERIVED | SECRET) & value.keys():
            raise ValueError(f"{', '.join(sorted(twice))} comes from other settings; remove it here")
        return value

    @field_validator("prices")
    @classmethod
    def _complete(cls, value: Prices, info: ValidationInfo) -> Prices:
        types = {node.server_type for node in info.data.get("nodes", {}).values()}
        if unknown := types - value.servers.keys():
            raise ValueError(f"servers has no price for {', '.join(sorted(unknown))}")
        return value

    @field_validator("environment")
    @classmethod
    def _a_mail_port(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        if not value.get(MAIL_PORT, "").isdecimal():
            raise ValueError(
                f"{MAIL_PORT} must be a port number: it is the one that the network policies open for mail"
            )
        return value

    @field_validator("snapshots")
    @classmethod
    def _at_a_known_store(cls, value: SnapshotSettings | None, info: ValidationInfo) -> SnapshotSettings | None:
        environment: Mapping[str, str] | None = info.data.get("environment")
        if value is None or environment is None:
            return value
        if missing := [name for name in (STORE_ENDPOINT, STORE_REGION) if not environment.get(name)]:
            raise ValueError(
                f"needs {' and '.join(missing)} in honeydue:environment: snapshots go to the same object store"
            )
        if "/" in environment[STORE_ENDPOINT]:
            raise ValueError(
                f"needs {STORE_ENDPOINT} in honeydue:environment to be a host name without https://, as k3s reads it"
            )
        if value.bucket == environment.get(UPLOADS):
            raise ValueError(
                f"bucket {value.bucket} is that of the uploads: whoever reads those would read every Secret"
            )
        return value

    @property
    def signed(self) -> bool:
        """Whether images must carry our signature."""
        return bool(self.cosign_public_key)

    @property
    def mail_port(self) -> int:
        """Where Fastmail takes mail (book ch09)."""
        return int(self.environment[MAIL_PORT])

    @field_validator("redis")
    @classmethod
    def _pinned_to_a_node(cls, value: RedisSettings, info: ValidationInfo) -> RedisSettings:
        # As they were written: a mistake in one of them must not hide this one.
        written = (info.context or {}).get("nodes")
        known = (
            [node.get("hostname") for node in written.values() if isinstance(node, Mapping)]
            if isinstance(written, Mapping)
            else []
        )
        if known and value.node not in known:
            raise ValueError(f"node {value.node} is no node of this stack; its nodes are {', '.join(map(str, known))}")
        return value
