"""The pod of an app: which connections it has, and what the quota counts."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra import pods
from infra.apps.config import REGISTRY
from infra.cluster.network_policies import Destination
from infra.pods import Resources
from infra.pods.controllers import MAX_SURGE


@dataclass(frozen=True, kw_only=True)
class Demand:
    """The most pods that an app has at a time, and the resources of each."""

    pods: int
    resources: Resources

    @classmethod
    def of(cls, resources: Resources, *, replicas: int) -> "Demand":
        """Twice the replicas and the surge of a release.

        The pods of the old release still count while they terminate, and so do those of a failed node.
        """
        return cls(pods=2 * replicas + MAX_SURGE, resources=resources)


@dataclass(frozen=True, kw_only=True)
class Pod(pods.Pod):
    """A pod in the app namespace.

    Connections: `egress` are the destinations of the pod. `allow_from` are the apps that may connect to its port, and
    Traefik may if the app is `exposed`. All other connections are denied. Both sides must declare a connection.
    """

    pull_secret: str | None = REGISTRY
    egress: Sequence[Destination] = ()
    allow_from: Sequence[str] = ()
    exposed: bool = False
