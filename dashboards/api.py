"""The dashboard of api: requests, errors and duration, and what limits them."""

from dashboards.model import Dashboard, Line, Panel, Query, Unit
from infra.monitoring.rules import pods, traffic
from infra.names import NAMESPACE
from infra.settings.scaling import Autoscaling

CONTAINER = f'namespace="{NAMESPACE}",container="api"'
AUTOSCALER = f'namespace="{NAMESPACE}",horizontalpodautoscaler="api"'
IMAGES = f'kube_pod_container_info{{namespace="{NAMESPACE}",container=~"api|worker"}}'
TAG = "[^@]*:([^@:]+)(@.*)?"
"""Matches the reference of an image with a tag, whose registry may have a port, and which may have a digest."""
WINDOW = "5m"
QUANTILES = {0.5: "half", 0.95: "95 %", 0.99: "99 %"}


def dashboard(scale: Autoscaling) -> Dashboard:
    return Dashboard(
        uid="honeydue-api",
        title="api",
        description="What users notice of api: how many requests there are, which fail, and how long they take.",
        panels=[*_requests(), *_pods(scale), _releases()],
    )


def _requests() -> list[Panel]:
    errors = traffic.requests(f'{traffic.API},code=~"5.."', window=WINDOW)
    total = traffic.requests(traffic.API, window=WINDOW)
    return [
        Panel(
            title="Requests",
            unit=Unit.REQUESTS_PER_SECOND,
            jobs=[traffic.EXPORTER],
            queries=[
                Query(
                    expr=f"sum(rate(traefik_router_requests_total{{{traffic.API}}}[{WINDOW}])) by (code)",
                    legend="{{code}}",
                )
            ],
            description="By status, as the clients received it.",
        ),
        Panel(
            title="Errors",
            unit=Unit.RATIO,
            jobs=[traffic.EXPORTER],
            # Without an error, the series of the status does not exist.
            queries=[Query(expr=f"sum({errors} or {total} * 0) / sum({total})", legend="5xx")],
            line=Line(value=traffic.ERROR_RATIO, alert="RequestsFail"),
            description="The share of requests with a status of 5xx.",
        ),
        Panel(
            title="Duration",
            unit=Unit.SECONDS,
            jobs=[traffic.EXPORTER],
            queries=[
                Query(expr=traffic.duration(quantile, traffic.API, window=WINDOW), legend=legend)
                for quantile, legend in QUANTILES.items()
            ],
            line=Line(value=traffic.SLOW_SECONDS, alert="ApiSlow"),
            description="The time within which this share of the requests completes. ApiSlow is about 99 %.",
        ),
    ]


def _pods(scale: Autoscaling) -> list[Panel]:
    return [
        Panel(
            title="Pods",
            unit=Unit.COUNT,
            jobs=[pods.EXPORTER],
            queries=[
                Query(expr=f"max(kube_horizontalpodautoscaler_{name}_replicas{{{AUTOSCALER}}})", legend=legend)
                for name, legend in {"spec_max": "maximum", "status_current": "running", "spec_min": "minimum"}.items()
            ],
            description="AutoscalerAtMaximum fires if the maximum is reached for fifteen minutes.",
        ),
        Panel(
            title="CPU, relative to the request",
            unit=Unit.RATIO,
            jobs=["cadvisor", pods.EXPORTER],
            queries=[Query(expr=pods.API_CPU_RATIO, legend="all pods")],
            line=Line(value=pods.api_cpu_limit(scale.cpu_percent), alert="ApiCpuHigh"),
            description=f"The autoscaler adds pods above {scale.cpu_percent} %.",
        ),
        Panel(
            title="Memory",
            unit=Unit.BYTES,
            jobs=["cadvisor"],
            queries=[
                Query(expr=f"max(container_memory_working_set_bytes{{{CONTAINER}}}) by (pod)", legend="{{pod}}"),
                Query(expr=f"max(container_spec_memory_limit_bytes{{{CONTAINER}}})", legend="limit"),
            ],
            description="The kernel kills a container at its limit.",
        ),
    ]


def _releases() -> Panel:
    return Panel(
        title="Pods by release",
        unit=Unit.COUNT,
        jobs=[pods.EXPORTER],
        queries=[
            Query(
                # Of the pod's specification. The status may contain another tag with the same content.
                expr=(
                    f'label_replace(count({IMAGES}) by (container, image_spec), "release", "$1", "image_spec", "{TAG}")'
                ),
                legend="{{container}} {{release}}",
            )
        ],
        description="During a release, pods of both images exist. Compare the moment with the graphs above.",
    )
