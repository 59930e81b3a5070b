"""Looks up Kubernetes objects by namespace and name, and records their immutable fields."""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from infra.names import NAMESPACE
from infra.settings.adopted import Adopted, Volume
from ops.adoption.effects.effect import items
from ops.adoption.findings import Candidate, Finding
from ops.adoption.lookups import Lookup
from ops.json_paths import dig
from ops.kubernetes import Cluster, Object
from ops.resource_types import CLAIM, DAEMON_SET, DEPLOYMENT, STATEFUL_SET

SERVICE = "kubernetes:core/v1:Service"
RBAC = "kubernetes:rbac.authorization.k8s.io/v1"
BINDINGS = (f"{RBAC}:ClusterRoleBinding", f"{RBAC}:RoleBinding")
AUTONAMED = "pulumi.com/autonamed"
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
HEADLESS = "None"
"""The cluster IP of a Service without one."""


def _subject(subject: JsonValue) -> str:
    """A subject of a binding: "ServiceAccount monitoring/vmagent"."""
    name = "/".join(str(part) for part in (dig(subject, "namespace"), dig(subject, "name")) if part)
    return f"{dig(subject, 'kind')} {name}"


class Kubernetes:
    """Lookups in the cluster.

    `mounted_by` has the name of the declared Deployment that mounts a claim, by the claim's name.
    """

    def __init__(self, cluster: Cluster, *, adopted: Adopted, mounted_by: Mapping[str, str]) -> None:
        self._cluster = cluster
        self._mounted_by = mounted_by
        self._selectors = dict(adopted.selectors)
        self._cluster_ips = dict(adopted.cluster_ips)
        self._volumes = dict(adopted.volumes)

    @property
    def lookups(self) -> Mapping[str, Lookup]:
        workloads = dict.fromkeys((DEPLOYMENT, STATEFUL_SET, DAEMON_SET), self._workload)
        bindings = dict.fromkeys(BINDINGS, self._binding)
        return {"kubernetes": self._object, **workloads, **bindings, CLAIM: self._claim, SERVICE: self._service}

    @property
    def adopted(self) -> Adopted:
        """The immutable fields of the objects looked up so far, for the setting `honeydue:adopted`."""
        return Adopted.model_validate(
            {"selectors": self._selectors, "clusterIps": self._cluster_ips, "volumes": self._volumes}
        )

    def _object(self, candidate: Candidate) -> Finding:
        if candidate.type.endswith("Patch"):
            return Finding.skipped("changes some fields of an object that Kubernetes owns; the first up applies it")
        if dig(candidate.inputs, "metadata", "annotations", AUTONAMED):
            return Finding.skipped("each release creates a new one with a generated name")
        return self._finding(self._live(candidate))

    def _live(self, candidate: Candidate, *, kind: str | None = None, name: str | None = None) -> Object | None:
        """The existing object, or None. `kind` and `name` replace the candidate's."""
        api_version = candidate.text("apiVersion")
        declared_kind, declared_name = candidate.text("kind"), candidate.text("metadata", "name")
        if api_version is None or declared_kind is None or declared_name is None:
            return None
        namespace = candidate.text("metadata", "namespace")
        return self._cluster.get(api_version, kind or declared_kind, namespace, name or declared_name)

    @staticmethod
    def _finding(live: Object | None, note: str = "") -> Finding:
        if live is None:
            return Finding.missing()
        metadata = live["metadata"]
        return Finding.found("/".join(filter(None, [metadata.get("namespace"), metadata["name"]])), note)

    def _workload(self, candidate: Candidate) -> Finding:
        declared = candidate.text("kind")
        for kind in WORKLOADS:
            if kind != declared and self._live(candidate, kind=kind):
                return Finding.ambiguous(
                    f"exists as a {kind}, but the program declares a {declared}. Both would run: replace the {kind} as "
                    "described in docs/adoption.md"
                )
        live = self._live(candidate)
        if live is None:
            return Finding.missing()
        selector = live["spec"]["selector"]
        if selector.get("matchExpressions"):
            return Finding.ambiguous(
                "its selector uses matchExpressions, which the program cannot declare. Recreate it with matchLabels"
            )
        if selector["matchLabels"] == dig(candidate.inputs, "spec", "selector", "matchLabels"):
            return self._finding(live)
        if candidate.text("metadata", "namespace") != NAMESPACE:
            # The settings have the selectors of the apps only, because no data is lost with the pods of monitoring.
            return Finding.ambiguous(
                f"its selector differs and cannot be changed. Delete the {declared}, so that the next up creates it"
            )
        self._selectors[candidate.name] = selector["matchLabels"]
        return self._finding(live, "keeps its selector")

    def _service(self, candidate: Candidate) -> Finding:
        live = self._live(candidate)
        if live is None:
            return Finding.missing()
        address, headless = live["spec"]["clusterIP"], dig(candidate.inputs, "spec", "clusterIP") == HEADLESS
        if (address == HEADLESS) != headless:
            exists, expected = ("without", "with") if address == HEADLESS else ("with", "without")
            return Finding.ambiguous(
                f"exists {exists} a cluster IP, but the program declares it {expected} one, which cannot be changed. "
                "Delete the Service, so that the next up creates it"
            )
        if candidate.text("metadata", "namespace") != NAMESPACE:
            return self._finding(live)
        self._cluster_ips[candidate.name] = address
        return self._finding(live, f"keeps {address}")

    def _binding(self, candidate: Candidate) -> Finding:
        """A binding of another account may have the same name. An import would take the account's permissions away."""
        live = self._live(candidate)
        if live is None:
            return Finding.missing()
        role, subjects = live["roleRef"]["name"], set(map(_subject, live.get("subjects") or ()))
        others = subjects - set(map(_subject, items(dig(candidate.inputs, "subjects"))))
        if others or candidate.text("roleRef", "name") not in {None, role}:
            return Finding.ambiguous(
                f"binds {', '.join(sorted(subjects))} to {role}, which the next up would change. Bind what needs it "
                f"under another name, and delete the {live['kind']}, so that the next up creates it"
            )
        return self._finding(live)

    def _claim(self, candidate: Candidate) -> Finding:
        """The claim that the app's existing Deployment mounts, which has the data; otherwise the claim of this name."""
        app = self._mounted_by.get(candidate.text("metadata", "name") or "")
        mounted = self._mounted_claims(candidate, app) if app else []
        if len(mounted) > 1:
            return Finding.ambiguous(f"{app} mounts several claims: {', '.join(mounted)}")
        live = self._live(candidate, name=mounted[0] if mounted else None)
        if live is None or app is None:
            return self._finding(live)
        spec = live["spec"]
        self._volumes[app] = Volume.model_validate(
            {
                "claim": live["metadata"]["name"],
                "storageClass": spec.get("storageClassName", ""),
                "storage": spec["resources"]["requests"]["storage"],
                "volume": spec.get("volumeName"),
            }
        )
        return self._finding(live, f"keeps volume {spec.get('volumeName', 'that its first pod gets')}")

    def _mounted_claims(self, candidate: Candidate, app: str) -> list[str]:
        live = self._cluster.get("apps/v1", "Deployment", candidate.text("metadata", "namespace"), app)
        volumes: list[dict[str, Any]] = live["spec"]["template"]["spec"].get("volumes") or [] if live else []
        return [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume]
