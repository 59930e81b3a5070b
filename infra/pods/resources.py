"""Requests and limits of a container."""

from dataclasses import dataclass

from pulumi_kubernetes.core.v1 import ResourceRequirementsArgs


def millicores(amount: int) -> str:
    """The canonical form of the API server. Any other form would be a permanent diff."""
    return f"{amount}m" if amount % 1000 else str(amount // 1000)


def mebibytes(amount: int) -> str:
    """The canonical form of the API server."""
    return f"{amount}Mi" if amount % 1024 else f"{amount // 1024}Gi"


@dataclass(frozen=True, kw_only=True)
class Resources:
    """CPU in millicores, memory and disk in MiB. Memory and disk have equal requests and limits: no overcommit."""

    cpu: int
    cpu_limit: int
    memory: int
    disk: int = 256

    def args(self) -> ResourceRequirementsArgs:
        fixed = {"memory": mebibytes(self.memory), "ephemeral-storage": mebibytes(self.disk)}
        return ResourceRequirementsArgs(
            requests={"cpu": millicores(self.cpu), **fixed},
            limits={"cpu": millicores(self.cpu_limit), **fixed},
        )
