"""The apps of honeyDue: their configuration, one module for each app, and how requests reach them."""

from infra.apps.admin import admin
from infra.apps.api import api
from infra.apps.config import AppConfig
from infra.apps.ingress import Ingresses, Route
from infra.apps.migration import Migration
from infra.apps.quota import Quota
from infra.apps.redis import redis
from infra.apps.signatures import Signatures
from infra.apps.web import web
from infra.apps.worker import worker
from infra.apps.workload import Workload

__all__ = [
    "AppConfig",
    "Ingresses",
    "Migration",
    "Quota",
    "Route",
    "Signatures",
    "Workload",
    "admin",
    "api",
    "redis",
    "web",
    "worker",
]
