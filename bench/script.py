"""The release as the deployment book's script does it with kubectl: a fresh migration Job, and then the images (03-deploy.sh)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import yaml

from infra.cluster.namespace import NAMESPACE
from rehearsal.world.world import World

JOB = "honeydue-migrate"
TIMEOUT = "--timeout=10m"
BACKEND = ("api", "worker")
"""One commit is the tag of both."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """What the script's manifests hold, read from what the program applied in the world."""

    world: World
    migration: Mapping[str, Any]
    """The pod of the migration, as its Job has it."""
    images: Mapping[str, str]
    """By app, without the tag."""

    @classmethod
    def read(cls, world: World) -> Self:
        """Reads them once: the script's own are files."""
        (job,) = world.kubectl_json("get", "jobs", f"--namespace={NAMESPACE}")["items"]
        deployments = [world.kubectl_json("get", "deployment", app, f"--namespace={NAMESPACE}") for app in BACKEND]
        images = [one["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[0] for one in deployments]
        return cls(
            world=world, migration=job["spec"]["template"]["spec"], images=dict(zip(BACKEND, images, strict=True))
        )

    def release(self, tag: str) -> None:
        """Migrates and rolls out a tag. Ends when every pod of it is ready."""
        kubectl, namespace = self.world.kubectl, f"--namespace={NAMESPACE}"
        kubectl("delete", "job", JOB, namespace, "--ignore-not-found")
        kubectl("apply", "--filename=-", stdin=yaml.safe_dump(self._job(tag)))
        kubectl("wait", f"job/{JOB}", namespace, "--for=condition=complete", TIMEOUT)
        for app, image in self.images.items():
            kubectl("set", "image", f"deployment/{app}", f"{app}={image}:{tag}", namespace)
        for app in self.images:
            kubectl("rollout", "status", f"deployment/{app}", namespace, TIMEOUT)

    def _job(self, tag: str) -> dict[str, Any]:
        containers = [{**one, "image": f"{self.images['api']}:{tag}"} for one in self.migration["containers"]]
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": JOB, "namespace": NAMESPACE},
            "spec": {"backoffLimit": 0, "template": {"spec": {**self.migration, "containers": containers}}},
        }
