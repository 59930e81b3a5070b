"""What lives in the product's namespace and no program declares: it stays as it is, but somebody should know."""

from collections.abc import Iterator, Mapping

from ops.cluster import Cluster, Object
from ops.findings import dig
from ops.plan import Plan

KUBERNETES = "kubernetes:"
NAMESPACE = "kubernetes:core/v1:Namespace"
OF_KUBERNETES = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}
"""In every namespace, made by Kubernetes itself."""


def beside(cluster: Cluster, plan: Plan, ids: Mapping[str, str]) -> Iterator[str]:
    """Names of objects of the kinds that the program uses, in its namespace, that are neither planned nor about to be imported.

    `ids` are those of the import, by URN: an adopted object may have another name than the program gave it.
    """
    states = [step.state for step in plan.steps if step.state.type.startswith(KUBERNETES)]
    namespaces = {dig(one.inputs, "metadata", "name") for one in states if one.type == NAMESPACE}
    known = {(dig(one.inputs, "kind"), ids.get(one.urn, "").rpartition("/")[2] or dig(one.inputs, "metadata", "name")) for one in states}
    kinds = {(dig(one.inputs, "apiVersion"), dig(one.inputs, "kind")) for one in states if dig(one.inputs, "metadata", "namespace")}
    for namespace in sorted(str(one) for one in namespaces):
        for version, kind in sorted((str(version), str(kind)) for version, kind in kinds):
            for found in cluster.list(version, kind, namespace):
                if (kind, found["metadata"]["name"]) not in known | OF_KUBERNETES and not _made_by_another(found):
                    yield f"{kind} {found['metadata']['name']}"


def _made_by_another(found: Object) -> bool:
    """Whether a controller made it, whose work it is to remove it."""
    return bool(found["metadata"].get("ownerReferences"))
