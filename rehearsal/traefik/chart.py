"""The command line that Traefik's chart renders from its values.

It follows `traefik/templates/_podtemplate.tpl` of github.com/traefik/traefik-helm-chart, tag v39.0.7, for
the values that this program sets. An unknown value is an error. If it were ignored, the rehearsal would pass without
testing it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.errors import RehearsalError
from rehearsal.loopback import LOOPBACK

Values = Mapping[str, Any]

NAME = "traefik"
PORTS = ("traefik", "web", "websecure", "metrics")
"""The default entry points of the chart."""

_DEFAULTS = (
    "--ping=true",
    "--metrics.prometheus=true",
    "--providers.kubernetescrd",
    "--providers.kubernetescrd.allowEmptyServices=true",
    "--providers.kubernetesingress",
    "--providers.kubernetesingress.allowEmptyServices=true",
    "--entryPoints.websecure.http.tls=true",
    "--log.level=INFO",
)
"""The default flags of the chart."""
_API: Mapping[str, Any] = {"dashboard": True}
"""The default of the value `api`."""

_FLAGS = (
    (
        r"(global\.\w+|metrics\.prometheus\.\w+"
        r"|providers\.kubernetes(?:CRD|Ingress)\.(?:namespaces|allow\w+))",
        r"\1",
    ),
    (r"ports\.(\w+\.(?:asDefault|forwardedHeaders\.trustedIPs))", r"entryPoints.\1"),
)
"""The path of a value, and the flag that the chart renders for it."""

_NO_FLAG = re.compile(
    r"(additionalArguments|api|deployment|hostNetwork|podSecurityContext|priorityClassName|resources|securityContext"
    r"|rbac|service|updateStrategy|ingressRoute|ports\.\w+\.(port|hostPort|hostIP)|ports\.web"
    r"|providers\.kubernetesIngress\.publishedService)(\..+)?"
)
"""Values that the chart does not render as flags, or that another function here renders.

They configure the pods and other objects, or the entry points (see `entry_points`), or are passed on unchanged.
"""


def chart_values(kubectl: Kubectl) -> Values:
    """The values of the HelmChartConfig in the cluster, which k3s' helm-controller merges into those of the chart."""
    config = kubectl.run_json("get", "helmchartconfig", NAME, "--namespace=kube-system")
    values: Values = yaml.safe_load(config["spec"]["valuesContent"])
    return values


def entry_points(values: Values) -> tuple[str, ...]:
    """The names of all entry points. The value null removes a default one."""
    ports: Values = values.get("ports", {})
    return tuple(name for name in dict.fromkeys([*PORTS, *ports]) if name not in ports or ports[name] is not None)


def command_line(values: Values, *, listen: Mapping[str, int]) -> list[str]:
    """All flags. Each entry point listens on loopback, at its port in `listen`."""
    return flags(values, addresses={name: f"{LOOPBACK}:{listen[name]}" for name in entry_points(values)})


def flags(values: Values, *, addresses: Mapping[str, str]) -> list[str]:
    """All flags. Each entry point listens at its address in `addresses`.

    Raises a RehearsalError for a value that is not supported here.
    """
    entry_point_flags = [f"--entryPoints.{name}.address={address}" for name, address in addresses.items()]
    value_flags = [flag for path, value in _leaves(values) for flag in _flags(path, value)]
    return [*_DEFAULTS, *entry_point_flags, *_api_flags(values), *values.get("additionalArguments", ()), *value_flags]


def _api_flags(values: Values) -> list[str]:
    """The values of `api` except null. Any of these flags makes Traefik create its API, also --api.dashboard=false."""
    api = {**_API, **values.get("api", {})}
    return [f"--api.{name}={_flag_value(value)}" for name, value in api.items() if value is not None]


def _leaves(values: Values, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _flags(path: str, value: object) -> Iterator[str]:
    if _NO_FLAG.fullmatch(path):
        return
    for pattern, flag in _FLAGS:
        if match := re.fullmatch(pattern, path):
            # The chart renders false only where the default is true.
            if value is not False or path == "global.checkNewVersion":
                yield f"--{match.expand(flag)}={_flag_value(value)}"
            return
    raise RehearsalError(
        f"the rehearsal does not support {path} in Traefik's values: add the flag that the chart renders for it to"
        " rehearsal/traefik/chart.py"
    )


def _flag_value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return ",".join(str(item) for item in value)
        case _:
            return str(value)
