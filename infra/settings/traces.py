"""Settings of traces. docs/traces.md describes them for operators."""

from collections.abc import Collection, Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from infra.settings.model import Model
from infra.settings.remote_write import HTTPS_PORT
from infra.settings.types import HttpsUrl, Text, matching, not_boolean

TRACES_PATH = "/v1/traces"
"""What an OpenTelemetry SDK appends to OTEL_EXPORTER_OTLP_ENDPOINT (OTLP exporter specification, "Endpoint URLs")."""
ENDPOINT, PROTOCOL = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"
HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"
SAMPLER, SAMPLER_ARGUMENT = "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"
SERVICE_NAME, RESOURCE_ATTRIBUTES = "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"
VARIABLES = (ENDPOINT, PROTOCOL, HEADERS, SAMPLER, SAMPLER_ARGUMENT, SERVICE_NAME, RESOURCE_ATTRIBUTES)
"""The variables that the program sets with `honeydue:traces`."""
OVERRIDING = tuple(f"OTEL_EXPORTER_OTLP_TRACES_{name}" for name in ("ENDPOINT", "PROTOCOL", "HEADERS"))
"""Variables that take precedence over those above."""
CREDENTIALS = (HEADERS, *(f"OTEL_EXPORTER_OTLP_{signal}_HEADERS" for signal in ("TRACES", "METRICS", "LOGS")))
"""Variables that usually contain a password, also those of other signals than traces."""


def _base_url(url: str) -> str:
    if url.endswith(TRACES_PATH):
        raise ValueError(
            f"OpenTelemetry appends {TRACES_PATH} to the URL; the URL without it was expected: "
            f"{url.removesuffix(TRACES_PATH)}"
        )
    return url


class ServiceNames(Model):
    """The names of the services in the collector. Another name is another service, without the earlier traces."""

    api: Text = "api"
    worker: Text = "worker"


class TracesSettings(Model):
    """Traces of api and worker, sent over OTLP/HTTP to the collector at `url` as `username`.

    `sample_ratio` is the proportion of all traces that are recorded, from 0 to 1.
    """

    url: Annotated[HttpsUrl, AfterValidator(_base_url)]
    username: Annotated[str, matching(r"[^:\x00-\x1f\x7f]+", "a name without a colon")]
    sample_ratio: Annotated[float, BeforeValidator(not_boolean), Field(ge=0, le=1, allow_inf_nan=False)] = 1
    services: ServiceNames = ServiceNames()

    @property
    def port(self) -> int:
        """The TCP port of `url`."""
        return urlsplit(self.url).port or HTTPS_PORT


def conflicting_variables(environment: Mapping[str, str]) -> Collection[str]:
    """The variables of `honeydue:environment` that `honeydue:traces` sets as well, or that override it."""
    return [name for name in (*VARIABLES, *OVERRIDING) if name in environment]
