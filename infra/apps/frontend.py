"""What admin and web have in common: a Next.js server that asks api (book ch07, ch12)."""

from collections.abc import Mapping
from typing import Literal

from pulumi_kubernetes.core.v1 import EnvVarArgs

from infra.apps.pod import Pod, Probes, Resources
from infra.apps.workload import Workload
from infra.settings.schema import Settings


def frontend(
    name: Literal["admin", "web"], settings: Settings, *, api: Workload, exempt: Mapping[str, str] | None = None
) -> Pod:
    """Browsers call api by its public name; the server side calls it inside the cluster."""
    return Pod(
        name=name,
        image=settings.images.reference(name),
        port=3000,
        environment=[
            EnvVarArgs(name="NEXT_PUBLIC_API_URL", value=f"https://api.{settings.domain}"),
            EnvVarArgs(name="API_URL", value=api.url),
        ],
        # "/", not "/admin/": that one answers 404, and killed the admin pod every 90 s for six hours once.
        probes=Probes(http_path="/", startup_failures=24),
        scratch=["/tmp", "/app/.next/cache"],  # noqa: S108  # mounts inside the container
        exempt=exempt or {},
        routed=True,
        # Not 443 outside: its server side has API_URL. An image that still calls api by its public name fails here, and shows it.
        talks_to=[api.endpoint],
        resources=Resources(cpu=100, cpu_limit=500, memory=256),
    )
