"""What admin and web share: a Next.js server that is a client of api."""

from collections.abc import Mapping
from typing import Literal

from pulumi_kubernetes.core.v1 import EnvVarArgs

from infra.apps.pod import Pod
from infra.apps.workload import Workload
from infra.cluster.network_policies import HTTPS, Destination
from infra.pods import Probes, Resources
from infra.settings.schema import Settings


def frontend(
    name: Literal["admin", "web"],
    settings: Settings,
    *,
    api: Workload,
    uses_api_url: bool = True,
    exemptions: Mapping[str, str] | None = None,
) -> Pod:
    """Browsers use the public name of api. The Next.js server uses its Service if the image reads `API_URL`."""
    return Pod(
        name=name,
        image=settings.images.reference(name),
        port=3000,
        environment=[
            EnvVarArgs(name="NEXT_PUBLIC_API_URL", value=f"https://api.{settings.domain}"),
            EnvVarArgs(name="API_URL", value=api.url),
        ],
        # "/" and not "/admin/": that path returns 404, which once restarted the admin pod every 90 s for six hours.
        probes=Probes(http_path="/", startup_failures=24),
        empty_dirs=["/tmp", "/app/.next/cache"],  # noqa: S108  # mounts inside the container
        exemptions=exemptions or {},
        exposed=True,
        # A server that calls api by its public name connects to Cloudflare. Its probes stay green without port 443.
        egress=[api.destination, *([] if uses_api_url else [Destination(port=HTTPS)])],
        resources=Resources(cpu=100, cpu_limit=500, memory=256),
    )
