"""Configuration and secrets of the apps, and the checksums that roll a pod when what it reads changes (book ch10)."""

import base64
import hashlib
import json
from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap, Secret
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.cluster.namespace import NAMESPACE, Namespace
from infra.cluster.secret import secret
from infra.component import Component
from infra.settings.apps import Database
from infra.settings.schema import Settings
from infra.settings.secrets import Secrets

CONFIG_MAP = "honeydue-config"
SECRET = "honeydue-secrets"  # noqa: S105  # a name
APNS_KEY = "honeydue-apns-key"
REGISTRY = "gitea-registry"
REDIS_PORT = 6379


def database_environment(database: Database) -> Mapping[str, str]:
    """Where api and worker find Postgres, and the direct host that migrations take (book ch08)."""
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
    """The whole ConfigMap: what the settings give plainly, and what follows from the rest of them."""
    return {
        **settings.environment,
        **database_environment(settings.database),
        "REDIS_HOST": f"redis.{NAMESPACE}.svc",
        "REDIS_PORT": str(REDIS_PORT),
        "ADMIN_EMAIL": settings.admin_email,
        "EMAIL_HOST_USER": settings.email_user,
        "ALLOWED_HOSTS": f"api.{settings.domain},{settings.domain}",
        "APNS_AUTH_KEY_PATH": "/etc/apns/key.p8",
    }


def secret_environment(secrets: Secrets) -> Mapping[str, pulumi.Output[str]]:
    """The Secret that api and worker read as environment."""
    return {
        "POSTGRES_PASSWORD": secrets.postgres_password,
        "REDIS_PASSWORD": secrets.redis_password,
        "SECRET_KEY": secrets.secret_key,
        "ADMIN_PASSWORD": secrets.admin_password,
        "EMAIL_HOST_PASSWORD": secrets.email_password,
        "B2_KEY_ID": secrets.b2_key_id,
        "B2_APP_KEY": secrets.b2_application_key,
    }


def docker_config(*, registry: str, username: str, password: str) -> str:
    """The content of a registry pull Secret."""
    login = base64.b64encode(f"{username}:{password}".encode()).decode()
    return json.dumps(
        {"auths": {registry: {"username": username, "password": password, "auth": login}}}, sort_keys=True
    )


def pull_secret(
    name: str, settings: Settings, secrets: Secrets, *, namespace: pulumi.Input[str], parent: pulumi.Resource
) -> Secret:
    """What kubelets, and whoever checks signatures, read images with."""
    host = settings.images.registry.split("/", 1)[0]
    login = secrets.registry_password.apply(
        lambda password: docker_config(registry=host, username=settings.registry_username, password=password)
    )
    return secret(
        name, {".dockerconfigjson": login}, namespace=namespace, parent=parent, type_="kubernetes.io/dockerconfigjson"
    )


def checksum(*parts: Mapping[str, pulumi.Input[str]]) -> pulumi.Output[str]:
    """A digest of everything a pod reads. As a pod annotation it makes a change of that, and only that, a rollout."""

    def digest(values: list[dict[str, str]]) -> str:
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    return pulumi.Output.all(*[pulumi.Output.all(**dict(part)) for part in parts]).apply(
        lambda values: digest(list(values))
    )


class AppConfig(Component):
    """ConfigMap and Secrets of the namespace.

    Attributes:
        read_by_backend: checksum of what api and worker read.
        read_by_redis: checksum of the one key redis reads.
        objects: everything a pod refers to by name, and so comes after.
    """

    read_by_backend: pulumi.Output[str]
    read_by_redis: pulumi.Output[str]
    objects: tuple[pulumi.Resource, ...]

    def __init__(self, settings: Settings, secrets: Secrets, *, namespace: Namespace) -> None:
        super().__init__("apps:AppConfig", "config", provider=namespace.provider)
        plain, hidden = environment(settings), secret_environment(secrets)
        apns = {"key.p8": secrets.apns_key}

        def kept_secret(name: str, content: Mapping[str, pulumi.Output[str]]) -> Secret:
            return secret(name, content, namespace=namespace.name, parent=self)

        self.objects = (
            ConfigMap(
                CONFIG_MAP,
                metadata=ObjectMetaArgs(name=CONFIG_MAP, namespace=namespace.name),
                data=plain,
                opts=pulumi.ResourceOptions(parent=self),
            ),
            kept_secret(SECRET, hidden),
            kept_secret(APNS_KEY, apns),
            pull_secret(REGISTRY, settings, secrets, namespace=namespace.name, parent=self),
        )
        self.read_by_backend = checksum(plain, hidden, apns)
        self.read_by_redis = checksum({"REDIS_PASSWORD": secrets.redis_password})
        self.register_outputs({})
