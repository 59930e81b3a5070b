"""Kubernetes objects, by namespace and name; and what of them must stay as it is."""

from collections.abc import Mapping
from typing import Any

from infra.settings.adopted import Adopted, Volume
from ops.adoption.findings import Finding, Wanted, dig
from ops.adoption.lookups import Lookup
from ops.kubernetes import Cluster, Object

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
SERVICE = "kubernetes:core/v1:Service"
AUTONAMED = "pulumi.com/autonamed"
OTHER_WORKLOADS = ("StatefulSet", "DaemonSet")


class Kubernetes:
    """`mounted_by` tells by the name of a claim which Deployment of the program mounts it.

    Attributes:
        adopted: what was found that Kubernetes does not change in place, as the settings record it; complete when all was looked up.
    """

    def __init__(self, cluster: Cluster, *, adopted: Adopted, mounted_by: Mapping[str, str]) -> None:
        self._cluster = cluster
        self._mounted_by = mounted_by
        self._selectors = dict(adopted.selectors)
        self._cluster_ips = dict(adopted.cluster_ips)
        self._volumes = dict(adopted.volumes)

    @property
    def lookups(self) -> Mapping[str, Lookup]:
        return {"kubernetes": self._object, DEPLOYMENT: self._deployment, CLAIM: self._claim, SERVICE: self._service}

    @property
    def adopted(self) -> Adopted:
        return Adopted.model_validate(
            {"selectors": self._selectors, "clusterIps": self._cluster_ips, "volumes": self._volumes}
        )

    def _object(self, wanted: Wanted) -> Finding:
        if wanted.type.endswith("Patch"):
            return Finding.left_out("a few fields of an object that stays Kubernetes' own: the first up applies them")
        if dig(wanted.inputs, "metadata", "annotations", AUTONAMED):
            return Finding.left_out("each release makes one of its own name")
        return self._finding(self._live(wanted))

    def _live(self, wanted: Wanted, *, kind: str | None = None, name: str | None = None) -> Object | None:
        version, own_kind, own_name = wanted.text("apiVersion"), wanted.text("kind"), wanted.text("metadata", "name")
        if version is None or own_kind is None or own_name is None:
            return None
        return self._cluster.get(version, kind or own_kind, wanted.text("metadata", "namespace"), name or own_name)

    @staticmethod
    def _finding(live: Object | None, note: str = "") -> Finding:
        if live is None:
            return Finding.missing()
        metadata = live["metadata"]
        return Finding.found("/".join(filter(None, [metadata.get("namespace"), metadata["name"]])), note)

    def _deployment(self, wanted: Wanted) -> Finding:
        live = self._live(wanted)
        if live is None:
            for kind in OTHER_WORKLOADS:
                if self._live(wanted, kind=kind):
                    return Finding.ambiguous(
                        f"runs as a {kind}, and the program declares a Deployment: two would run side by side"
                    )
            return Finding.missing()
        selector = live["spec"]["selector"]
        if selector.get("matchExpressions"):
            return Finding.ambiguous(
                "selects its pods by expressions, which the program cannot repeat: make it anew with matchLabels"
            )
        if selector["matchLabels"] == dig(wanted.inputs, "spec", "selector", "matchLabels"):
            return self._finding(live)
        self._selectors[wanted.name] = selector["matchLabels"]
        return self._finding(live, "keeps its selector")

    def _service(self, wanted: Wanted) -> Finding:
        live = self._live(wanted)
        if live is None:
            return Finding.missing()
        self._cluster_ips[wanted.name] = live["spec"]["clusterIP"]
        return self._finding(live, f"keeps {live['spec']['clusterIP']}")

    def _claim(self, wanted: Wanted) -> Finding:
        """By its own name, or the one that the app's Deployment mounts: what is on it is what matters."""
        app = self._mounted_by.get(wanted.text("metadata", "name") or "")
        mounted = self._claims_of(wanted, app) if app else []
        if len(mounted) > 1:
            return Finding.ambiguous(f"{app} mounts several claims: {', '.join(mounted)}")
        live = self._live(wanted, name=mounted[0] if mounted else None)
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
        return self._finding(live, f"keeps volume {spec.get('volumeName', 'of its first pod')}")

    def _claims_of(self, wanted: Wanted, app: str) -> list[str]:
        live = self._cluster.get("apps/v1", "Deployment", wanted.text("metadata", "namespace"), app)
        volumes: list[dict[str, Any]] = live["spec"]["template"]["spec"].get("volumes") or [] if live else []
        return [one["persistentVolumeClaim"]["claimName"] for one in volumes if "persistentVolumeClaim" in one]
