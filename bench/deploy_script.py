"""A release with the kubectl commands of the deployment book's `03-deploy.sh`: a migration Job, then the images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import yaml

from infra.names import NAMESPACE
from rehearsal.world.world import World

JOB = "honeydue-migrate"
TIMEOUT = "--timeout=10m"
BACKEND = ("api", "worker")
"""Deployments whose images have the same tag."""


@dataclass(frozen=True, kw_only=True)
class DeployScript:
    """The values of the script's manifests, read from the cluster to which the program was applied."""

    world: World
    migration: Mapping[str, Any]
    """Pod spec of the migration Job."""
    images: Mapping[str, str]
    """Image without tag, by Deployment."""

    @classmethod
    def from_cluster(cls, world: World) -> Self:
        """Reads the values before the first measurement, because the real script has its manifests in files."""
        (job,) = world.kubectl_json("get", "jobs", f"--namespace={NAMESPACE}")["items"]
        images = {}
        for app in BACKEND:
            deployment = world.kubectl_json("get", "deployment", app, f"--namespace={NAMESPACE}")
            container = deployment["spec"]["template"]["spec"]["containers"][0]
            images[app] = container["image"].rpartition(":")[0]
        return cls(world=world, migration=job["spec"]["template"]["spec"], images=images)

    def release(self, tag: str) -> None:
        """Migrates the database and rolls out a tag. Returns when all its pods are ready."""
        kubectl, namespace = self.world.kubectl, f"--namespace={NAMESPACE}"
        kubectl("delete", "job", JOB, namespace, "--ignore-not-found")
        kubectl("apply", "--filename=-", stdin=yaml.safe_dump(self._job(tag)))
        kubectl("wait", f"job/{JOB}", namespace, "--for=condition=complete", TIMEOUT)
        for app, image in self.images.items():
            kubectl("set", "image", f"deployment/{app}", f"{app}={image}:{tag}", namespace)
        for app in self.images:
            kubectl("rollout", "status", f"deployment/{app}", namespace, TIMEOUT)

    def _job(self, tag: str) -> dict[str, Any]:
        image = f"{self.images['api']}:{tag}"
        containers = [{**container, "image": image} for container in self.migration["containers"]]
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": JOB, "namespace": NAMESPACE},
            "spec": {"backoffLimit": 0, "template": {"spec": {**self.migration, "containers": containers}}},
        }
