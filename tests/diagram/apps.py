"""The namespace: who may talk to whom by the network policies, and who waits for whom by the dependencies."""

from collections.abc import Iterator, Mapping, Sequence

from tests.diagram import outside
from tests.diagram.d2 import around, arrow, box
from tests.diagram.site import CLUSTER, TRAEFIK, routed
from tests.unit.capture import Capture
from tests.unit.manifests import Object, of

APP = "app.kubernetes.io/name"
NAMESPACE = f"{CLUSTER}.namespace"
TOGETHER = "together"


class Apps:
    """What runs in the namespace, and its ties."""

    def __init__(self, program: Capture, objects: Sequence[Object]) -> None:
        self._program = program
        self._objects = objects
        self._made = {one["metadata"]["name"]: one for kind in ("Deployment", "Job") for one in of(objects, kind)}
        (config,) = of(objects, "ConfigMap")
        self._environment: Mapping[str, str] = config["data"]
        self._calls = {name: frozenset(self._calls_of(name)) for name in self._made}
        self._waits = {name: self._awaited_by(name) for name in self._made}

    def drawn(self) -> Iterator[str]:
        yield around(NAMESPACE, "namespace honeydue", "top-right")
        if any(map(self._alike, self._made)):
            yield around(f"{NAMESPACE}.{TOGETHER}", "", "top-left")
        yield from outside.boxes(self._environment)
        for name in self._made:
            yield box(self._place(name), self._title(name), stores=bool(self._volume(name)))
        for app, port in routed(self._objects):
            yield arrow(TRAEFIK, self._place(app), port)
        # Two that have all of it in common are drawn once.
        for place, name in {self._group(name): name for name in self._made}.items():
            for called, port in sorted(self._calls[name]):
                yield arrow(place, self._place(called) if called in self._made else called, port)
            for awaited in sorted(self._waits[name]):
                yield arrow(self._place(awaited), place, "complete before", waits=True)

    def _calls_of(self, name: str) -> Iterator[tuple[str, str]]:
        """Whom it calls, and on which port; DNS, which every caller asks, is left out."""
        pod = self._made[name]["spec"]["template"]["spec"]["containers"][0]
        for policy in of(self._objects, "NetworkPolicy"):
            if policy["spec"]["podSelector"].get("matchLabels", {}).get(APP) != name:
                continue
            for rule in policy["spec"].get("egress", []):
                for peer in rule["to"]:
                    for port in (one["port"] for one in rule["ports"]):
                        if "ipBlock" in peer:
                            yield outside.called(port, pod, self._environment), str(port)
                        elif app := peer["podSelector"]["matchLabels"].get(APP):
                            yield app, str(port)

    def _awaited_by(self, name: str) -> frozenset[str]:
        """The Jobs that must be complete before it."""
        (one,) = (
            one for one in self._program.registrations if one.name == name and one.kind == self._made[name]["kind"]
        )
        jobs = {job.urn: job.name for job in self._program.of("Job")}
        return frozenset(jobs[urn] for urn in one.request.dependencies if urn in jobs)

    def _alike(self, name: str) -> bool:
        """Whether another has the very same ties, and so the same box around it; only those that wait for a Job have one."""
        ties = self._calls[name], self._waits[name]
        return (
            bool(self._waits[name])
            and sum((self._calls[other], self._waits[other]) == ties for other in self._made) > 1
        )

    def _group(self, name: str) -> str:
        return f"{NAMESPACE}.{TOGETHER}" if self._alike(name) else self._place(name)

    def _place(self, name: str) -> str:
        return f"{NAMESPACE}.{TOGETHER}.{name}" if self._alike(name) else f"{NAMESPACE}.{name}"

    def _title(self, name: str) -> str:
        made = self._made[name]
        if made["kind"] == "Job":
            return f"{name}\nJob of each release"
        scaled = [
            one["spec"]
            for one in self._objects
            if one["kind"] == "HorizontalPodAutoscaler" and one["metadata"]["name"] == name
        ]
        count = (
            "{minReplicas} to {maxReplicas}".format_map(scaled[0]) if scaled else str(made["spec"].get("replicas", 1))
        )
        volume = self._volume(name)
        return f"{name} × {count}" + (f"\n{volume} volume" if volume else "")

    def _volume(self, name: str) -> str:
        """The size of what it keeps."""
        claims = {
            one["metadata"]["name"]: one["spec"]["resources"]["requests"]["storage"]
            for one in of(self._objects, "PersistentVolumeClaim")
        }
        volumes = self._made[name]["spec"]["template"]["spec"].get("volumes", [])
        return ", ".join(
            claims[one["persistentVolumeClaim"]["claimName"]] for one in volumes if "persistentVolumeClaim" in one
        )
