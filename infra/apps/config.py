"""Configuration and secrets of the apps, and the checksums that roll their pods when either changes."""

import base64
import hashlib
import json
from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core.v1 import ConfigMap, Secret
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.apps import traces
from infra.cluster import Namespace
from infra.cluster.secret import secret
from infra.component import Component
from infra.names import NAMESPACE
from infra.settings.database import Database
from infra.settings.schema import Settings
from infra.settings.secrets import Secrets

CONFIG_MAP = "honeydue-config"
SECRET = "honeydue-secrets"  # noqa: S105  # a name
APNS_KEY = "honeydue-apns-key"
REGISTRY = "gitea-registry"
REDIS_PORT = 6379


def database_environment(database: Database) -> Mapping[str, str]:
    """The Postgres host of api and worker, and the direct host for migrations."""
    return {
        "DB_HOST": database.host,
        "DB_DIRECT_HOST": database.direct_host,
        "DB_PORT": str(database.port),
        "POSTGRES_DB": database.name,
        "POSTGRES_USER": database.user,
        "DB_SSLMODE": database.ssl_mode,
        "DB_MAX_IDLE_CONNS": str(database.max_idle_connections),
        "DB_MAX_LIFETIME": database.max_lifetime,
        "DB_MAX_IDLE_TIME": database.max_idle_time,
    }


def environment(settings: Settings) -> Mapping[str, str]:
    """The content of the ConfigMap: `environment` of the settings, and variables derived from other settings."""
    return {
        **settings.environment,
        **database_environment(settings.database),
        "REDIS_HOST": f"redis.{NAMESPACE}.svc",
        "REDIS_PORT": str(REDIS_PORT),
        "ADMIN_EMAIL": settings.admin_email,
        "EMAIL_HOST_USER": settings.email_user,
        "ALLOWED_HOSTS": f"api.{settings.domain},{settings.domain}",
        "APNS_AUTH_KEY_PATH": "/etc/apns/key.p8",
        **traces.environment(settings),
    }


def secret_environment(settings: Settings, secrets: Secrets) -> Mapping[str, pulumi.Output[str]]:
    """The Secret that api and worker use as environment."""
    return {
        "POSTGRES_PASSWORD": secrets.postgres_password,
        "REDIS_PASSWORD": secrets.redis_password,
        "SECRET_KEY": secrets.secret_key,
        "ADMIN_PASSWORD": secrets.admin_password,
        "EMAIL_HOST_PASSWORD": secrets.email_password,
        "B2_KEY_ID": secrets.b2_key_id,
        "B2_APP_KEY": secrets.b2_application_key,
        **traces.secret_environment(settings, secrets),
    }


def docker_config(*, registry: str, username: str, password: str) -> str:
    """The content of an image pull Secret."""
    login = base64.b64encode(f"{username}:{password}".encode()).decode()
    return json.dumps(
        {"auths": {registry: {"username": username, "password": password, "auth": login}}}, sort_keys=True
    )


def pull_secret(
    name: str, settings: Settings, secrets: Secrets, *, namespace: pulumi.Input[str], parent: Component
) -> Secret:
    """The image pull Secret of kubelets."""
    host = settings.images.registry.split("/", 1)[0]
    login = secrets.registry_password.apply(
        lambda password: docker_config(registry=host, username=settings.registry_username, password=password)
    )
    return secret(
        name, {".dockerconfigjson": login}, namespace=namespace, parent=parent, type_="kubernetes.io/dockerconfigjson"
    )


def checksum(*parts: Mapping[str, pulumi.Input[str]]) -> pulumi.Output[str]:
    """A digest of a pod's configuration. As a pod annotation, it causes a rollout when the configuration changes."""

    def digest(values: list[dict[str, str]]) -> str:
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    return pulumi.Output.all(*[pulumi.Output.all(**dict(part)) for part in parts]).apply(
        lambda values: digest(list(values))
    )


class AppConfig(Component):
    """ConfigMap and Secrets of the namespace.

    Attributes:
        backend_checksum: of the configuration of api and worker.
        redis_checksum: of the password of redis.
        objects: dependencies of the pods, which refer to them by name.
    """

    backend_checksum: pulumi.Output[str]
    redis_checksum: pulumi.Output[str]
    objects: tuple[pulumi.Resource, ...]

    def __init__(
        self, settings: Settings, secrets: Secrets, *, namespace: Namespace, provider: kubernetes.Provider
    ) -> None:
        super().__init__("apps:AppConfig", "config", provider=provider)
        config, passwords = environment(settings), secret_environment(settings, secrets)
        apns = {"key.p8": secrets.apns_key}

        def opaque_secret(name: str, content: Mapping[str, pulumi.Output[str]]) -> Secret:
            return secret(name, content, namespace=namespace.name, parent=self)

        self.objects = (
            ConfigMap(
                CONFIG_MAP,
                metadata=ObjectMetaArgs(name=CONFIG_MAP, namespace=namespace.name),
                data=config,
                opts=self.child_options(),
            ),
            opaque_secret(SECRET, passwords),
            opaque_secret(APNS_KEY, apns),
            pull_secret(REGISTRY, settings, secrets, namespace=namespace.name, parent=self),
        )
        self.backend_checksum = checksum(config, passwords, apns)
        self.redis_checksum = checksum({"REDIS_PASSWORD": secrets.redis_password})
        self.register_outputs({})
