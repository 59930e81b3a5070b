"""Settings of logs (infra/logs/). docs/logs.md describes them for operators."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator

from infra.names import KUBE_SYSTEM, KUBERNETES_NAMESPACES, LOGS, MONITORING, NAMESPACE, NODE_EXPORTER, SYSTEM_UPGRADE
from infra.settings.model import Model
from infra.settings.monitoring import MonitoringSettings
from infra.settings.remote_write import RemoteWrite
from infra.settings.types import Hostname, Image, matching, not_empty

FieldName = Annotated[
    str, matching(r"[\w./@-]+\*?", 'the name of a field, or the beginning of one with * at the end, such as "user.*",')
]


class LogImages(Model):
    """The image of the agent. It may have a digest: `IMAGE:TAG@sha256:…`."""

    vlagent: Image = "docker.io/victoriametrics/vlagent:v1.52.1"


class LogSettings(RemoteWrite):
    """Logs in VictoriaLogs.

    `namespaces` are those whose containers are read. `drop_fields` are fields of JSON lines that are not sent, in
    addition to those of the program. With `audit`, the audit log of the API server is read as well.
    """

    namespaces: Annotated[tuple[Hostname, ...], AfterValidator(not_empty)] = (NAMESPACE, KUBE_SYSTEM)
    drop_fields: tuple[FieldName, ...] = ()
    audit: bool = True
    images: LogImages = LogImages()


def existing_namespaces(
    *, monitoring: MonitoringSettings | None, upgrades: bool, others: Iterable[str]
) -> tuple[str, ...]:
    """The namespaces whose logs can be read: declared, of Kubernetes, or of the workloads in `others`.

    Not that of the agent: it prints each line that it cannot send, and would read that line again.
    """
    declared = {
        NAMESPACE: True,
        MONITORING: monitoring is not None,
        NODE_EXPORTER: monitoring is not None and monitoring.node_exporter,
        SYSTEM_UPGRADE: upgrades,
    }
    names = [*(name for name, exists in declared.items() if exists), *KUBERNETES_NAMESPACES, *others]
    return tuple(name for name in dict.fromkeys(names) if name != LOGS)
