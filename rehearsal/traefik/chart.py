"""The command line that Traefik's chart makes of its values, as far as this program sets them.

After `traefik/templates/_podtemplate.tpl` of github.com/traefik/traefik-helm-chart, commit 00374755. A value that is not known
here stops the rehearsal: it would otherwise look as if it had been tried.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rehearsal.control_plane.flags import LOOPBACK
from rehearsal.errors import RehearsalError

Values = Mapping[str, Any]

PORTS = ("traefik", "web", "websecure", "metrics")
"""The entry points that the chart has where the values take none away."""

_DEFAULTS = (
    "--ping=true",
    "--metrics.prometheus=true",
    "--providers.kubernetescrd",
    "--providers.kubernetescrd.allowEmptyServices=true",
    "--providers.kubernetesingress",
    "--providers.kubernetesingress.allowEmptyServices=true",
    "--entryPoints.websecure.http.tls=true",
)
"""What the chart says unless it is told otherwise."""

_FLAGS = (
    (
        r"(global\.\w+|api\.dashboard|metrics\.prometheus\.\w+|providers\.kubernetes(?:CRD|Ingress)\.(?:namespaces|allow\w+))",
        r"\1",
    ),
    (r"ports\.(\w+\.forwardedHeaders\.trustedIPs)", r"entryPoints.\1"),
    (r"logs\.general\.(format|level)", r"log.\1"),
    (r"logs\.access\.enabled", r"accesslog"),
    (r"logs\.access\.format", r"accesslog.format"),
    (r"logs\.access\.fields\.(?:general\.)?(.+)", r"accesslog.fields.\1"),
)
"""Where a value goes."""

_NO_FLAG = re.compile(
    r"(additionalArguments|deployment|hostNetwork|podSecurityContext|priorityClassName|resources|securityContext|service|updateStrategy"
    r"|ingressRoute|ports\.\w+\.(port|hostPort|hostIP)|ports\.web|providers\.kubernetesIngress\.publishedService)(\..+)?"
)
"""How the pods run, objects beside them, what the chart passes on as it is, and where they listen, which is `entry_points`."""


def entry_points(values: Values) -> tuple[str, ...]:
    """Names of all that Traefik listens on; null takes one away."""
    given: Values = values.get("ports", {})
    return tuple(name for name in dict.fromkeys([*PORTS, *given]) if name not in given or given[name] is not None)


def command_line(values: Values, *, listen: Mapping[str, int]) -> list[str]:
    """All flags; each entry point is on loopback, at the port that `listen` has for it."""
    return flags(values, addresses={name: f"{LOOPBACK}:{listen[name]}" for name in entry_points(values)})


def flags(values: Values, *, addresses: Mapping[str, str]) -> list[str]:
    """All flags; each entry point is at its address."""
    listening = [f"--entryPoints.{name}.address={address}" for name, address in addresses.items()]
    given = values.get("additionalArguments", ())
    return [*_DEFAULTS, *listening, *given, *(flag for path, value in _leaves(values) for flag in _flags(path, value))]


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
        if found := re.fullmatch(pattern, path):
            # The chart passes no false on, but for the one whose default is true: `--api.dashboard=false` would start the API.
            if value is not False or path == "global.checkNewVersion":
                yield f"--{found.expand(flag)}={_written(value)}"
            return
    raise RehearsalError(
        f"Traefik's values set {path}: rehearsal/traefik/chart.py does not know what the chart makes of it"
    )


def _written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return ",".join(str(one) for one in value)
        case _:
            return str(value)
