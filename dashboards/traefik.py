"""The dashboard of Traefik: requests to all apps, and connections by node."""

from dashboards.model import Dashboard, Line, Panel, Query, Unit
from infra.monitoring.rules import traffic

WINDOW = "5m"
JOBS = [traffic.EXPORTER]
APP = "{{service}}"


def dashboard() -> Dashboard:
    errors, total = traffic.requests(traffic.FAILED, window=WINDOW), traffic.requests(traffic.APPS, window=WINDOW)
    received = f"traefik_entrypoint_requests_total{{{traffic.INTERNET}}}"
    sent = f"traefik_entrypoint_responses_bytes_total{{{traffic.INTERNET}}}"
    return Dashboard(
        uid="honeydue-traefik",
        title="Traefik",
        description="The requests that arrive at each node, and what the clients of each app receive.",
        panels=[
            Panel(
                title="Requests by node",
                unit=Unit.REQUESTS_PER_SECOND,
                jobs=JOBS,
                queries=[Query(expr=f"sum(rate({received}[{WINDOW}])) by (node)", legend="{{node}}")],
                description="Cloudflare spreads requests evenly. A node without requests is down or lacks its record.",
            ),
            Panel(
                title="Requests by app",
                unit=Unit.REQUESTS_PER_SECOND,
                jobs=JOBS,
                queries=[Query(expr=total, legend=APP)],
                description="As routers count them: once for each request, however often Traefik tries a pod.",
            ),
            Panel(
                title="Errors by app",
                unit=Unit.RATIO,
                jobs=JOBS,
                queries=[Query(expr=f"({errors} or {total} * 0) / {total}", legend=APP)],
                line=Line(value=traffic.ERROR_RATIO, alert="RequestsFail"),
                description="The share of requests with a status of 5xx.",
            ),
            Panel(
                title="Duration by app, slowest percent",
                unit=Unit.SECONDS,
                jobs=JOBS,
                queries=[
                    Query(expr=traffic.duration(0.99, traffic.APPS, window=WINDOW, by="service, le"), legend=APP),
                ],
                description="The time within which 99 % of the requests complete.",
            ),
            Panel(
                title="Open connections",
                unit=Unit.COUNT,
                jobs=JOBS,
                queries=[
                    Query(expr=f"sum(traefik_open_connections{{{traffic.INTERNET}}}) by (node)", legend="{{node}}")
                ],
                description="From Cloudflare. It keeps connections open, so that they stay after the requests end.",
            ),
            Panel(
                title="Responses",
                unit=Unit.BYTES_PER_SECOND,
                jobs=JOBS,
                queries=[Query(expr=f"sum(rate({sent}[{WINDOW}])) by (node)", legend="{{node}}")],
                description="What the node sends to Cloudflare.",
            ),
            Panel(
                title="Validity of the certificate",
                unit=Unit.DAYS,
                jobs=JOBS,
                queries=[Query(expr="(min(traefik_tls_certs_not_after) by (cn) - time()) / 86400", legend="{{cn}}")],
                description="Days until the certificate expires that Traefik shows to Cloudflare.",
            ),
        ],
    )
