"""Settings of the apps: images, replicas, database, redis and environment variables."""

from collections.abc import Sequence
from typing import Annotated, Literal, get_args

from pydantic import Field

from infra.settings.model import Model
from infra.settings.scaling import Autoscaling
from infra.settings.types import (
    Count,
    Hostname,
    Image,
    Number,
    Quantity,
    Registry,
    Tag,
    repository,
)

App = Literal[
    "api",
    "worker",
    "admin",
    "web",
]
"""The apps with an image of our own."""
IMAGE_PREFIX = "honeydue-"
"""What the names of our images begin with."""


class Images(Model):
    """The release: one image tag per app, and the redis image. Each may have a digest: `TAG@sha256:…`."""

    registry: Registry
    api: Tag
    worker: Tag
    admin: Tag
    web: Tag
    redis: Image

    @property
    def other_repositories(self) -> tuple[str, ...]:
        """Repositories of the images that are not our own."""
        return (repository(self.redis),)

    @property
    def without_digest(self) -> Sequence[App]:
        """Our images that have a tag only, which the registry may move."""
        return [app for app in get_args(App) if "@" not in getattr(self, app)]

    def reference(self, app: App) -> str:
        """The full image reference of an app."""
        return f"{self.registry}/{IMAGE_PREFIX}{app}:{getattr(self, app)}"


class Scale(Model):
    """The replicas of the apps. worker and redis are not configurable: two replicas would do harm."""

    api: Autoscaling
    admin: Count
    web: Count


class RedisSettings(Model):
    """redis. `node` is the hostname of the node that has its local volume. The memory is in MiB.

    `eviction_policy` is what a full redis does (`maxmemory-policy`). The jobs of Asynq have no expiration time: only
    "allkeys-lru" evicts them. "volatile-lru" evicts keys that have one, and refuses writes when there are none left.
    "noeviction" refuses all writes that need memory.
    """

    node: Hostname
    storage: Quantity
    memory_mi: Annotated[Number, Field(ge=64)]
    eviction_policy: Literal["allkeys-lru", "volatile-lru", "noeviction"] = "allkeys-lru"

    @property
    def evicts_jobs(self) -> bool:
        """Whether a full redis evicts queued jobs."""
        return self.eviction_policy.startswith("allkeys-")


DERIVED_VARIABLES = {
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
"""Variables that infra/apps/config.py derives from other settings. They must not be in `environment` as well."""
SECRET_VARIABLES = {
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "SECRET_KEY",
    "ADMIN_PASSWORD",
    "EMAIL_HOST_PASSWORD",
    "B2_KEY_ID",
    "B2_APP_KEY",
}
"""Variables of the Secret. `environment` is stored in plain text and must not contain them."""
HEALTH_PATH = "/api/health/"
"""The health check of api. It returns an error without the database, and 200 without redis."""
MAIL_HOST, MAIL_PORT = "EMAIL_HOST", "EMAIL_PORT"
STORE_ENDPOINT, STORE_REGION, UPLOADS_BUCKET = "B2_ENDPOINT", "B2_REGION", "B2_BUCKET_NAME"
