"""Adoption looks up objects in a cluster, and records their immutable fields in the settings."""

from collections.abc import Mapping
from typing import Any

import pytest

from infra.names import MONITORING, NAMESPACE
from infra.settings.adopted import Adopted
from ops.adoption.findings import Candidate, Status
from ops.adoption.lookups import look_up
from ops.adoption.lookups.kubernetes import Kubernetes
from ops.errors import OpsError
from ops.kubernetes import Cluster, Object
from tests.unit.candidates import candidate
from tests.unit.fake_engine import kubeconfig_for
from tests.unit.site import serve


@pytest.mark.parametrize(
    ("content", "context", "message"),
    [
        (kubeconfig_for("https://127.0.0.1:1"), "default", r"API server at https://127\.0\.0\.1:1 cannot be reached"),
        (kubeconfig_for("https://127.0.0.1:1"), "other", "has no usable context other"),
        ("kubernetes-token", "default", "has no usable context default"),
        ("{kubernetes-token", "default", "has no usable context default"),
    ],
)
def test_an_unusable_kubeconfig_is_one_line_without_its_content(content: str, context: str, message: str) -> None:
    with pytest.raises(OpsError, match=message) as error, Cluster.connect(content, context) as cluster:
        cluster.get("v1", "Secret", "honeydue", "x")
    assert "kubernetes-token" not in str(error.value)


def test_an_invalid_certificate_in_a_kubeconfig_is_one_line() -> None:
    with serve({}) as site:
        server = site.url.replace("http:", "https:")
        content = kubeconfig_for(server).replace("server:", "certificate-authority-data: Z2FyYmFnZQ==\n    server:")
        with (
            pytest.raises(OpsError, match=r"no TLS connection .* honeydue:kubeconfig \(.*no certificate or crl found"),
            Cluster.connect(content, "default"),
        ):
            pass


class FakeCluster(Cluster):
    """A cluster with these objects."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        super().__init__(None, "")
        self._objects = {
            (item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]): item for item in objects
        }

    def get(
        self,
        api_version: str,  # noqa: ARG002  # the objects of these tests have one version
        kind: str,
        namespace: str | None,
        name: str,
    ) -> Object | None:
        return self._objects.get((kind, namespace, name))


def live_object(kind: str, name: str, *, namespace: str = NAMESPACE, **spec: object) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def planned_object(
    kind: str, name: str, group: str = "apps/v1", *, namespace: str = NAMESPACE, **spec: object
) -> Candidate:
    metadata = {"name": name, "namespace": namespace}
    inputs = {"apiVersion": group.removeprefix("core/"), "kind": kind, "metadata": metadata, "spec": spec}
    return candidate(f"kubernetes:{group}:{kind}", name, inputs)


def kubernetes(*objects: dict[str, Any], mounted_by: Mapping[str, str] | None = None) -> Kubernetes:
    return Kubernetes(FakeCluster(*objects), adopted=Adopted(), mounted_by=mounted_by or {})


SELECTOR = {"matchLabels": {"app.kubernetes.io/name": "api"}}


def test_another_selector_of_a_deployment_is_recorded() -> None:
    other = kubernetes(live_object("Deployment", "api", selector={"matchLabels": {"app": "api"}}))
    finding = look_up(planned_object("Deployment", "api", selector=SELECTOR), other.lookups)
    assert (finding.id, finding.note) == ("honeydue/api", "keeps its selector")
    assert other.adopted == Adopted(selectors={"api": {"app": "api"}})
    same = kubernetes(live_object("Deployment", "api", selector=SELECTOR))
    assert look_up(planned_object("Deployment", "api", selector=SELECTOR), same.lookups).id == "honeydue/api"
    assert same.adopted == Adopted()


@pytest.mark.parametrize(
    ("existing", "message"),
    [
        (live_object("StatefulSet", "api"), "exists as a StatefulSet"),
        (live_object("DaemonSet", "api"), "exists as a DaemonSet"),
        (
            live_object("Deployment", "api", selector={"matchExpressions": [{"key": "app", "operator": "Exists"}]}),
            "uses matchExpressions",
        ),
    ],
)
def test_another_workload_kind_or_selector_expression_is_ambiguous(existing: dict[str, Any], message: str) -> None:
    finding = look_up(planned_object("Deployment", "api", selector=SELECTOR), kubernetes(existing).lookups)
    assert finding.status is Status.AMBIGUOUS
    assert message in finding.note


def test_a_deployment_beside_a_stateful_set_of_the_same_name_is_ambiguous() -> None:
    """Its pods would keep running beside those of the adopted Deployment."""
    cluster = kubernetes(live_object("StatefulSet", "api"), live_object("Deployment", "api", selector=SELECTOR))
    finding = look_up(planned_object("Deployment", "api", selector=SELECTOR), cluster.lookups)
    assert finding.status is Status.AMBIGUOUS
    assert "docs/adoption.md" in finding.note


@pytest.mark.parametrize("declared", ["Deployment", "StatefulSet", "DaemonSet"])
@pytest.mark.parametrize("existing", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_part_of_monitoring_is_adopted_only_as_its_kind_and_with_its_selector(declared: str, existing: str) -> None:
    cluster = kubernetes(live_object(existing, "vmagent", namespace=MONITORING, selector=SELECTOR))
    finding = look_up(planned_object(declared, "vmagent", namespace=MONITORING, selector=SELECTOR), cluster.lookups)
    if declared == existing:
        assert finding.id == f"{MONITORING}/vmagent"
    else:
        assert finding.status is Status.AMBIGUOUS
        assert f"exists as a {existing}, but the program declares a {declared}" in finding.note
    other = {"matchLabels": {"app": "vmagent"}}
    finding = look_up(planned_object(existing, "vmagent", namespace=MONITORING, selector=other), cluster.lookups)
    assert (finding.status, cluster.adopted) == (Status.AMBIGUOUS, Adopted())
    assert f"Delete the {existing}" in finding.note


@pytest.mark.parametrize(("declared", "existing"), [("None", "10.43.0.9"), (None, "None")])
def test_a_service_that_is_headless_on_one_side_is_ambiguous(declared: str | None, existing: str) -> None:
    cluster = kubernetes(live_object("Service", "alertmanager", namespace=MONITORING, clusterIP=existing))
    spec = {} if declared is None else {"clusterIP": declared}
    planned = planned_object("Service", "alertmanager", "core/v1", namespace=MONITORING, **spec)
    finding = look_up(planned, cluster.lookups)
    assert (finding.status, cluster.adopted) == (Status.AMBIGUOUS, Adopted())
    assert "Delete the Service" in finding.note


@pytest.mark.parametrize("address", ["None", "10.43.0.9"])
def test_a_service_of_monitoring_is_adopted_without_a_setting(address: str) -> None:
    cluster = kubernetes(live_object("Service", "alertmanager", namespace=MONITORING, clusterIP=address))
    spec = {"clusterIP": address} if address == "None" else {}
    planned = planned_object("Service", "alertmanager", "core/v1", namespace=MONITORING, **spec)
    assert look_up(planned, cluster.lookups).id == f"{MONITORING}/alertmanager"
    assert cluster.adopted == Adopted()


def binding(*accounts: str, role: str = "vmagent") -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "vmagent"},
        "roleRef": {"kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "namespace": MONITORING, "name": name} for name in accounts],
    }


@pytest.mark.parametrize(
    ("existing", "status"),
    [
        (binding("vmagent"), Status.FOUND),
        (binding(), Status.FOUND),
        (binding("vmagent", "other"), Status.AMBIGUOUS),
        (binding("vmagent", role="view"), Status.AMBIGUOUS),
    ],
)
def test_a_binding_of_another_account_or_role_is_ambiguous(existing: dict[str, Any], status: Status) -> None:
    """Another account would lose its permissions, and the role cannot be changed."""
    planned = candidate("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding", "vmagent", binding("vmagent"))
    finding = look_up(planned, kubernetes(existing).lookups)
    assert finding.status is status
    if status is Status.AMBIGUOUS:
        assert f"ServiceAccount {MONITORING}/vmagent to {existing['roleRef']['name']}" in finding.note


def test_the_cluster_ip_of_a_service_is_recorded() -> None:
    cluster = kubernetes(live_object("Service", "api", clusterIP="10.43.167.83"))
    assert look_up(planned_object("Service", "api", "core/v1"), cluster.lookups).id == "honeydue/api"
    assert cluster.adopted.cluster_ips == {"api": "10.43.167.83"}


def deployment_mounting(*claims: str) -> dict[str, Any]:
    volumes = [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in claims] + [
        {"name": "x", "emptyDir": {}}
    ]
    return live_object("Deployment", "redis", template={"spec": {"volumes": volumes}})


def volume_claim(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "storageClassName": "local-path",
        "resources": {"requests": {"storage": "2Gi"}},
        "volumeName": "pvc-1",
    }
    return live_object("PersistentVolumeClaim", name, **spec)


def test_the_mounted_volume_claim_is_adopted_under_any_name() -> None:
    cluster = kubernetes(
        deployment_mounting("data-of-redis"), volume_claim("data-of-redis"), mounted_by={"redis-data": "redis"}
    )
    assert (
        look_up(planned_object("PersistentVolumeClaim", "redis-data", "core/v1"), cluster.lookups).id
        == "honeydue/data-of-redis"
    )
    volume = cluster.adopted.volumes["redis"]
    assert (volume.claim, volume.storage_class, volume.storage, volume.volume) == (
        "data-of-redis",
        "local-path",
        "2Gi",
        "pvc-1",
    )


def test_several_mounted_volume_claims_are_ambiguous() -> None:
    cluster = kubernetes(
        deployment_mounting("first", "second"), volume_claim("first"), mounted_by={"redis-data": "redis"}
    )
    assert (
        look_up(planned_object("PersistentVolumeClaim", "redis-data", "core/v1"), cluster.lookups).status
        is Status.AMBIGUOUS
    )


def test_a_volume_claim_that_does_not_exist_is_missing() -> None:
    cluster = kubernetes(mounted_by={"redis-data": "redis"})
    assert (
        look_up(planned_object("PersistentVolumeClaim", "redis-data", "core/v1"), cluster.lookups).status
        is Status.MISSING
    )


def test_a_cluster_scoped_object_is_found_by_name() -> None:
    namespace = {"kind": "Namespace", "metadata": {"name": "honeydue"}}
    inputs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "honeydue"}}
    assert (
        look_up(candidate("kubernetes:core/v1:Namespace", "honeydue", inputs), kubernetes(namespace).lookups).id
        == "honeydue"
    )
