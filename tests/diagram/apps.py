"""The namespace: connections that the network policies allow, and the Jobs that apps depend on."""

from collections.abc import Iterator, Mapping, Sequence

from infra.names import NAMESPACE as APP_NAMESPACE
from tests.diagram import external
from tests.diagram.d2 import arrow, box, container
from tests.diagram.request_path import CLUSTER, TRAEFIK, backends
from tests.unit.capture import Capture
from tests.unit.manifests import Object, of_kind

APP = "app.kubernetes.io/name"
NAMESPACE = f"{CLUSTER}.namespace"
GROUP = f"{NAMESPACE}.group"
"""The box around apps with the same connections and dependencies."""


class Apps:
    """The workloads of the namespace with their connections and dependencies."""

    def __init__(self, program: Capture, objects: Sequence[Object]) -> None:
        self._program = program
        self._objects = objects
        apps = [item for item in objects if item["metadata"].get("namespace") == APP_NAMESPACE]
        workloads = [workload for kind in ("Deployment", "Job") for workload in of_kind(apps, kind)]
        self._workloads = {workload["metadata"]["name"]: workload for workload in workloads}
        (config,) = of_kind(apps, "ConfigMap")
        self._environment: Mapping[str, str] = config["data"]
        self._connections = {name: frozenset(self._connections_of(name)) for name in self._workloads}
        self._jobs = {name: self._jobs_before(name) for name in self._workloads}

    def lines(self) -> Iterator[str]:
        """The namespace, its workloads and the services that they call, as lines of d2."""
        yield container(NAMESPACE, "namespace honeydue", "top-right")
        if any(map(self._is_grouped, self._workloads)):
            yield container(GROUP, "", "top-left")
        yield from external.boxes(self._environment)
        for name in self._workloads:
            yield box(self._path(name), self._title(name), stores=bool(self._volume(name)))
        for app, port in backends(self._objects):
            yield arrow(TRAEFIK, self._path(app), port)
        # The arrows of grouped apps are drawn once, from the box around them.
        for path, name in {self._arrow_path(name): name for name in self._workloads}.items():
            for destination, port in sorted(self._connections[name]):
                yield arrow(path, self._path(destination) if destination in self._workloads else destination, port)
            for job in sorted(self._jobs[name]):
                yield arrow(self._path(job), path, "complete before", dashed=True)

    def _connections_of(self, name: str) -> Iterator[tuple[str, str]]:
        """Destination and port of each connection of a workload. DNS is left out, as every app uses it."""
        pod = self._workloads[name]["spec"]["template"]["spec"]["containers"][0]
        for policy in of_kind(self._objects, "NetworkPolicy"):
            if policy["spec"]["podSelector"].get("matchLabels", {}).get(APP) != name:
                continue
            for rule in policy["spec"].get("egress", []):
                for peer in rule["to"]:
                    for port in (entry["port"] for entry in rule["ports"]):
                        if "ipBlock" in peer:
                            yield external.destination(port, pod, self._environment), str(port)
                        elif app := peer["podSelector"]["matchLabels"].get(APP):
                            yield app, str(port)

    def _jobs_before(self, name: str) -> frozenset[str]:
        """The Jobs that must complete before a workload is created or updated."""
        (workload,) = (
            registration
            for registration in self._program.registrations
            if registration.name == name and registration.kind == self._workloads[name]["kind"]
        )
        jobs = {job.urn: job.name for job in self._program.resources("Job")}
        return frozenset(jobs[urn] for urn in workload.request.dependencies if urn in jobs)

    def _is_grouped(self, name: str) -> bool:
        """Whether a workload depends on a Job and another one has the same connections and dependencies."""
        edges = self._connections[name], self._jobs[name]
        return (
            bool(self._jobs[name])
            and sum((self._connections[other], self._jobs[other]) == edges for other in self._workloads) > 1
        )

    def _arrow_path(self, name: str) -> str:
        """The d2 path at which the arrows of a workload start and end."""
        return GROUP if self._is_grouped(name) else self._path(name)

    def _path(self, name: str) -> str:
        """The d2 path of a workload."""
        return f"{GROUP}.{name}" if self._is_grouped(name) else f"{NAMESPACE}.{name}"

    def _title(self, name: str) -> str:
        workload = self._workloads[name]
        if workload["kind"] == "Job":
            return f"{name}\nJob of each release"
        autoscalers = [
            manifest["spec"]
            for manifest in self._objects
            if manifest["kind"] == "HorizontalPodAutoscaler" and manifest["metadata"]["name"] == name
        ]
        replicas = (
            "{minReplicas} to {maxReplicas}".format_map(autoscalers[0])
            if autoscalers
            else str(workload["spec"].get("replicas", 1))
        )
        volume = self._volume(name)
        return f"{name} × {replicas}" + (f"\n{volume} volume" if volume else "")

    def _volume(self, name: str) -> str:
        """The size of a workload's volume claims."""
        sizes = {
            claim["metadata"]["name"]: claim["spec"]["resources"]["requests"]["storage"]
            for claim in of_kind(self._objects, "PersistentVolumeClaim")
        }
        volumes = self._workloads[name]["spec"]["template"]["spec"].get("volumes", [])
        return ", ".join(
            sizes[volume["persistentVolumeClaim"]["claimName"]]
            for volume in volumes
            if "persistentVolumeClaim" in volume
        )
