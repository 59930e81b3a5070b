"""Finds the metrics agents that run already. vmagent of the program would write every series a second time."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from infra.settings.monitoring import MonitoringSettings
from infra.settings.types import repository
from ops.adoption.workloads import Workload, undeclared_workloads
from ops.json_paths import dig
from ops.kubernetes import Cluster
from ops.plan import State

IMAGES = ("vmagent", "prometheus", "grafana-agent", "alloy")
"""The last part of the repositories of agents, which may write to a URL that no ConfigMap contains."""
WRITE_PATHS = "write|push|import|insert"
"""Parts of the path to which an agent writes. Traces go to the same host, by another path."""
HELM_RELEASE = "meta.helm.sh/release-name"
HELM_CHART = ("helm.cattle.io/v1", "HelmChart")


@dataclass(frozen=True, kw_only=True)
class MetricsAgent:
    """An agent, whether it writes to the host of `honeydue:monitoring`, and the command that removes it."""

    workload: Workload
    writes: bool
    removal: str

    def __str__(self) -> str:
        target = "writes to the same URL" if self.writes else "may write to the same URL: check its configuration"
        return f"{self.workload} {target}. To remove it: {self.removal}"


def metrics_agents(
    cluster: Cluster, states: Sequence[State], monitoring: MonitoringSettings | None
) -> Iterator[MetricsAgent]:
    """The agents of all namespaces, by their images and by the URLs in their arguments, variables and ConfigMaps."""
    if monitoring is None:
        return
    host = re.escape(urlsplit(monitoring.url).netloc)
    url = re.compile(rf"https?://([^/\s@]*@)?{host}/\S*\b({WRITE_PATHS})\b")
    for workload in undeclared_workloads(cluster, states):
        writes = any(url.search(text) for text in _texts(cluster, workload))
        if writes or any(_is_agent(container) for container in workload.containers):
            yield MetricsAgent(workload=workload, writes=writes, removal=_removal(cluster, workload))


def _is_agent(container: Mapping[str, Any]) -> bool:
    return repository(container["image"]).rpartition("/")[2] in IMAGES


def _texts(cluster: Cluster, workload: Workload) -> Iterator[str]:
    """The arguments, the values of variables, and the ConfigMaps of a workload. Secrets are not read."""
    config_maps: list[object] = [dig(volume, "configMap", "name") for volume in workload.pod.get("volumes") or ()]
    for container in workload.containers:
        yield from (str(text) for field in ("command", "args") for text in container.get(field) or ())
        for variable in container.get("env") or ():
            yield str(variable.get("value", ""))
            config_maps.append(dig(variable, "valueFrom", "configMapKeyRef", "name"))
        config_maps += [dig(source, "configMapRef", "name") for source in container.get("envFrom") or ()]
    for volume in workload.pod.get("volumes") or ():
        sources = (volume.get("projected") or {}).get("sources") or ()
        config_maps += [dig(source, "configMap", "name") for source in sources]
    for name in dict.fromkeys(name for name in config_maps if isinstance(name, str)):
        live = cluster.get("v1", "ConfigMap", workload.namespace, name)
        yield from (live or {}).get("data", {}).values()


def _removal(cluster: Cluster, workload: Workload) -> str:
    """The command that removes the workload and what belongs to it, by the tool that created it."""
    if workload.owner:
        kind, name = workload.owner
        return f"kubectl -n {workload.namespace} delete {kind.lower()} {name}"
    release = workload.annotations.get(HELM_RELEASE)
    if release is None:
        return f"kubectl -n {workload.namespace} delete {workload.kind.lower()} {workload.name}"
    for chart in cluster.list_everywhere(*HELM_CHART):
        if chart["metadata"]["name"] == release and dig(chart, "spec", "targetNamespace") == workload.namespace:
            return f"kubectl -n {chart['metadata']['namespace']} delete helmchart {release}"
    return f"helm -n {workload.namespace} uninstall {release}"
