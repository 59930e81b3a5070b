"""Settings of workloads that run beside the apps and that this program does not declare, such as a metrics agent.

The program only makes room for them: it admits their images, allows their connections and counts them in the quota.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, ValidationInfo, field_validator

from infra.names import NAMESPACE
from infra.settings.adopted import Labels
from infra.settings.model import Model
from infra.settings.types import Addresses, Count, Hostname, Port, Repository, not_empty

NonEmptyLabels = Annotated[Labels, AfterValidator(not_empty)]
"""A policy without labels would select every pod of its namespace."""


class Connection(Model):
    """The port of a connection and its other end: pods, or else addresses.

    `pods` are the labels of pods in `namespace`, by default the namespace of the workload. A namespace without labels
    means all of its pods.
    """

    port: Port
    protocol: Literal["TCP", "UDP"] = "TCP"
    namespace: Hostname | None = None
    pods: Mapping[str, str] = {}
    address: Addresses = "internet"

    @field_validator("address")
    @classmethod
    def _not_with_pods(cls, value: object, info: ValidationInfo) -> object:
        if info.data.get("pods") or info.data.get("namespace"):
            raise ValueError("is set together with pods or namespace: a connection has one other end")
        return value

    @property
    def to_pods(self) -> bool:
        """Whether the other end are pods."""
        return bool(self.pods or self.namespace)


class PodResources(Model):
    """The resources of one pod: CPU in millicores, memory and disk in MiB."""

    cpu: Count = 100
    cpu_limit: Count = 500
    memory: Count = 256
    disk: Count = 256


class OtherWorkload(Model):
    """One workload. `labels` are those of its pods, and `images` the repositories of its images, without tags.

    `egress` and `ingress` are its connections. `pods` is the most pods that it has in the namespace of the apps at a
    time.
    """

    namespace: Hostname = NAMESPACE
    labels: NonEmptyLabels
    images: tuple[Repository, ...] = ()
    egress: tuple[Connection, ...] = ()
    ingress: tuple[Connection, ...] = ()
    pods: Count = 1
    resources: PodResources = PodResources()

    @field_validator("egress")
    @classmethod
    def _apps_have_labels(cls, value: tuple[Connection, ...], info: ValidationInfo) -> tuple[Connection, ...]:
        namespace = info.data.get("namespace")
        if any(peer.to_pods and not peer.pods and (peer.namespace or namespace) == NAMESPACE for peer in value):
            raise ValueError(f"needs pods, the labels of the other end, in namespace {NAMESPACE}")
        return value


def admitted_repositories(workloads: Iterable[OtherWorkload], namespace: str) -> tuple[str, ...]:
    """The repositories that the admission policy of a namespace allows for them."""
    return tuple(
        dict.fromkeys(image for workload in workloads if workload.namespace == namespace for image in workload.images)
    )
