"""The standard variables of OpenTelemetry SDKs, with which api and worker send traces. Empty without `honeydue:traces`.

Source: "OpenTelemetry Environment Variable Specification" and "OpenTelemetry Protocol Exporter".
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Literal
from urllib.parse import quote

import pulumi
from pulumi_kubernetes.core.v1 import EnvVarArgs

from infra.cluster.network_policies import Destination
from infra.names import NAMESPACE
from infra.settings import traces
from infra.settings.schema import Settings
from infra.settings.secrets import Secrets


def environment(settings: Settings) -> Mapping[str, str]:
    """The variables of the ConfigMap, which are the same for both apps."""
    if settings.traces is None:
        return {}
    return {
        traces.ENDPOINT: settings.traces.url,
        traces.PROTOCOL: "http/protobuf",
        # Not parentbased: all requests of a client that sets the flag in its `traceparent` header would be recorded.
        # Both apps still record the same traces, because the sampler decides by the trace ID.
        traces.SAMPLER: "traceidratio",
        traces.SAMPLER_ARGUMENT: str(settings.traces.sample_ratio),
    }


def secret_environment(settings: Settings, secrets: Secrets) -> Mapping[str, pulumi.Output[str]]:
    """The variables of the Secret."""
    if settings.traces is None:
        return {}
    if secrets.traces_password is None:
        raise ValueError("tracesPassword is required with traces")
    username = settings.traces.username
    return {traces.HEADERS: secrets.traces_password.apply(lambda password: authorization(username, password))}


def authorization(username: str, password: str) -> str:
    """The header of basic authentication, in the format of W3C Baggage: values are percent-encoded."""
    credentials = b64encode(f"{username}:{password}".encode()).decode()
    # "=" and "+" as well: some SDKs split at each "=", or decode "+" to a space.
    return f"Authorization={quote(f'Basic {credentials}', safe='')}"


def pod_environment(settings: Settings, app: Literal["api", "worker"]) -> Sequence[EnvVarArgs]:
    """The variables that differ between the apps. The values need no encoding: tags and domains have no such character.

    The release is the image tag, which changes with the image, so that these variables cause no rollout of their own.
    """
    if settings.traces is None:
        return []
    service: str = getattr(settings.traces.services, app)
    tag = getattr(settings.images, app).partition("@")[0]
    attributes = {"service.namespace": NAMESPACE, "service.version": tag, "k8s.cluster.name": settings.domain}
    return [
        EnvVarArgs(name=traces.SERVICE_NAME, value=service),
        EnvVarArgs(
            name=traces.RESOURCE_ATTRIBUTES, value=",".join(f"{name}={value}" for name, value in attributes.items())
        ),
    ]


def egress(settings: Settings) -> Sequence[Destination]:
    """The port of the collector."""
    return [Destination(port=settings.traces.port)] if settings.traces else []
