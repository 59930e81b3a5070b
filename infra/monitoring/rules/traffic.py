"""Alerts about requests, from Traefik's metrics of its routers, and about the database, from api's own.

A router counts what the client received. The metrics of Traefik's services count each attempt, so they contain errors
that a retry hid, and lack requests for an app without a pod.
"""

from collections.abc import Sequence

from infra.monitoring.rules.model import Rule
from infra.names import NAMESPACE
from infra.settings.monitoring import ApiMetrics

EXPORTER = "traefik"
SLOW_SECONDS = 0.5
"""From the roadmap's scaling triggers. Traefik's histogram needs a bucket with this bound."""
MIN_REQUESTS = 100
"""One slow request of fewer would already be the slowest percent."""
ERROR_RATIO = 0.05
MIN_ERRORS = 5
MIN_REQUEST_RATE = 0.5
"""Requests per second of a site that is in use. Below, no requests for a quarter of an hour may be normal."""
CONNECTIONS_USED = 0.8
API = f'service=~"{NAMESPACE}-api-.+@kubernetes"'
APPS = f'service=~"{NAMESPACE}-.+@kubernetes"'
DURATION = "traefik_router_request_duration_seconds"
INTERNET = 'entrypoint="websecure"'


def api_latency_rule() -> Rule:
    return Rule(
        name="ApiSlow",
        expr=(
            # `le` has the bounds of the buckets: without it, there is nothing to compute a quantile from.
            f"histogram_quantile(0.99, sum(rate({DURATION}_bucket{{{API}}}[10m])) by (le)) > {SLOW_SECONDS} "
            f"and on () sum(increase({DURATION}_count{{{API}}}[10m])) >= {MIN_REQUESTS}"
        ),
        for_="10m",
        keep_firing_for="10m",
        severity="warning",
        exporter=EXPORTER,
        series=(f"{DURATION}_bucket", f"{DURATION}_count"),
        summary=(
            "One percent of the requests to api have taken longer than {{ $value | humanizeDuration }} for ten minutes."
        ),
        runbook="api is slow",
    )


def error_rule() -> Rule:
    # Longer than the minute in which requests fail when a node dies, because the window adds to it.
    errors, window = f'{APPS},code=~"5.."', "1m"
    return Rule(
        name="RequestsFail",
        expr=(
            f"sum(rate(traefik_router_requests_total{{{errors}}}[{window}])) by (service) "
            f"/ sum(rate(traefik_router_requests_total{{{APPS}}}[{window}])) by (service) > {ERROR_RATIO} "
            f"and on (service) "
            f"sum(increase(traefik_router_requests_total{{{errors}}}[5m])) by (service) >= {MIN_ERRORS}"
        ),
        for_="3m",
        keep_firing_for="5m",
        severity="critical",
        exporter=EXPORTER,
        series=("traefik_router_requests_total",),
        summary="{{ $value | humanizePercentage }} of the requests to {{ $labels.service }} fail with a status of 5xx.",
        runbook="Requests fail",
    )


def no_traffic_rules() -> Sequence[Rule]:
    return [
        Rule(
            name="SiteWithoutRequests",
            expr=(
                f"sum(rate(traefik_entrypoint_requests_total{{{INTERNET}}}[10m])) == 0 and on () "
                f"sum(rate(traefik_entrypoint_requests_total{{{INTERNET}}}[10m] offset 1h)) > {MIN_REQUEST_RATE}"
            ),
            for_="5m",
            severity="critical",
            exporter=EXPORTER,
            series=("traefik_entrypoint_requests_total",),
            summary="No request has arrived for a quarter of an hour. An hour ago, there were requests.",
            runbook="No requests arrive",
        ),
        Rule(
            name="NodeWithoutRequests",
            expr=(
                # `up`, because a counter without a request does not exist.
                'max(up{job="traefik"} == 1) by (node) unless on (node) '
                f"(sum(rate(traefik_entrypoint_requests_total{{{INTERNET}}}[15m])) by (node) > 0) "
                f"and on () sum(rate(traefik_entrypoint_requests_total{{{INTERNET}}}[15m])) > {MIN_REQUEST_RATE}"
            ),
            for_="15m",
            severity="warning",
            exporter=EXPORTER,
            series=("up", "traefik_entrypoint_requests_total"),
            summary="No request arrives at {{ $labels.node }}, while the other nodes receive requests.",
            runbook="No requests arrive",
        ),
    ]


def database_rule(api: ApiMetrics) -> Rule:
    return Rule(
        name="DatabaseConnectionsHigh",
        expr=f'sum({api.open_connections}{{job="api"}}) > {round(CONNECTIONS_USED * api.max_connections)}',
        for_="10m",
        keep_firing_for="10m",
        severity="warning",
        exporter="api",
        series=(api.open_connections,),
        summary=f"{{{{ $value }}}} of the {api.max_connections} connections that the database allows are open.",
        runbook="The database has too many connections",
    )
