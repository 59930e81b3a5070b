"""What an adoption finds in a cluster, and what of it must stay as it lives."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from infra.settings.adopted import Adopted
from ops.adoption.findings import Candidate, Status
from ops.adoption.lookups import look_up
from ops.adoption.lookups.kubernetes import Kubernetes
from ops.errors import OpsError
from ops.kubernetes import Cluster, Object
from tests.unit.candidates import candidate


def kubeconfig(server: str) -> str:
    one = {"name": "default"}
    content = {
        "clusters": [{**one, "cluster": {"server": server}}],
        "users": [{**one, "user": {"token": "kubernetes-token"}}],
        "contexts": [{**one, "context": {"cluster": "default", "user": "default"}}],
    }
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **content})


@pytest.mark.parametrize(
    ("content", "context", "said"),
    [
        (kubeconfig("https://127.0.0.1:1"), "default", r"API server at https://127\.0\.0\.1:1 cannot be reached"),
        (kubeconfig("https://127.0.0.1:1"), "other", "has no usable context other"),
        ("kubernetes-token", "default", "has no usable context default"),
        ("{kubernetes-token", "default", "has no usable context default"),
    ],
)
def test_a_kubeconfig_that_leads_nowhere_is_one_line_and_not_repeated(content: str, context: str, said: str) -> None:
    with pytest.raises(OpsError, match=said) as error, Cluster.connect(content, context) as cluster:
        cluster.get("v1", "Secret", "honeydue", "x")
    assert "kubernetes-token" not in str(error.value)


class Held(Cluster):
    """A cluster of these objects."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        super().__init__(None, "")
        self._objects = {
            (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]): one for one in objects
        }

    def get(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object | None:  # noqa: ARG002  # each kind has one version
        return self._objects.get((kind, namespace, name))


def live(kind: str, name: str, **spec: object) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": "honeydue"}, "spec": spec}


def planned(kind: str, name: str, group: str = "apps/v1", **spec: object) -> Candidate:
    metadata = {"name": name, "namespace": "honeydue"}
    inputs = {"apiVersion": group.removeprefix("core/"), "kind": kind, "metadata": metadata, "spec": spec}
    return candidate(f"kubernetes:{group}:{kind}", name, inputs)


def kubernetes(*objects: dict[str, Any], mounted_by: Mapping[str, str] | None = None) -> Kubernetes:
    return Kubernetes(Held(*objects), adopted=Adopted(), mounted_by=mounted_by or {})


OURS = {"matchLabels": {"app.kubernetes.io/name": "api"}}


def test_a_deployment_keeps_another_selector_and_the_settings_say_so() -> None:
    theirs = kubernetes(live("Deployment", "api", selector={"matchLabels": {"app": "api"}}))
    found = look_up(planned("Deployment", "api", selector=OURS), theirs.lookups)
    assert (found.id, found.note) == ("honeydue/api", "keeps its selector")
    assert theirs.adopted == Adopted(selectors={"api": {"app": "api"}})
    ours = kubernetes(live("Deployment", "api", selector=OURS))
    assert look_up(planned("Deployment", "api", selector=OURS), ours.lookups).id == "honeydue/api"
    assert ours.adopted == Adopted()


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (live("StatefulSet", "api"), "exists as a StatefulSet"),
        (live("DaemonSet", "api"), "exists as a DaemonSet"),
        (
            live("Deployment", "api", selector={"matchExpressions": [{"key": "app", "operator": "Exists"}]}),
            "uses matchExpressions",
        ),
    ],
)
def test_what_would_run_twice_or_cannot_be_repeated_is_for_a_person(there: dict[str, Any], said: str) -> None:
    found = look_up(planned("Deployment", "api", selector=OURS), kubernetes(there).lookups)
    assert found.status is Status.AMBIGUOUS
    assert said in found.note


def test_a_service_keeps_its_address() -> None:
    cluster = kubernetes(live("Service", "api", clusterIP="10.43.167.83"))
    assert look_up(planned("Service", "api", "core/v1"), cluster.lookups).id == "honeydue/api"
    assert cluster.adopted.cluster_ips == {"api": "10.43.167.83"}


def mounting(*claims: str) -> dict[str, Any]:
    volumes = [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in claims] + [
        {"name": "x", "emptyDir": {}}
    ]
    return live("Deployment", "redis", template={"spec": {"volumes": volumes}})


def claim(name: str) -> dict[str, Any]:
    asked = {"storageClassName": "local-path", "resources": {"requests": {"storage": "2Gi"}}, "volumeName": "pvc-1"}
    return live("PersistentVolumeClaim", name, **asked)


def test_the_claim_that_is_mounted_is_adopted_whatever_it_is_called() -> None:
    cluster = kubernetes(mounting("data-of-redis"), claim("data-of-redis"), mounted_by={"redis-data": "redis"})
    assert (
        look_up(planned("PersistentVolumeClaim", "redis-data", "core/v1"), cluster.lookups).id
        == "honeydue/data-of-redis"
    )
    kept = cluster.adopted.volumes["redis"]
    assert (kept.claim, kept.storage_class, kept.storage, kept.volume) == (
        "data-of-redis",
        "local-path",
        "2Gi",
        "pvc-1",
    )


def test_of_several_claims_a_person_chooses() -> None:
    cluster = kubernetes(mounting("one", "two"), claim("one"), mounted_by={"redis-data": "redis"})
    assert (
        look_up(planned("PersistentVolumeClaim", "redis-data", "core/v1"), cluster.lookups).status is Status.AMBIGUOUS
    )


def test_a_claim_that_nobody_made_yet_is_missing() -> None:
    cluster = kubernetes(mounted_by={"redis-data": "redis"})
    assert look_up(planned("PersistentVolumeClaim", "redis-data", "core/v1"), cluster.lookups).status is Status.MISSING


def test_an_object_of_no_namespace_is_found_by_its_name_alone() -> None:
    namespace = {"kind": "Namespace", "metadata": {"name": "honeydue"}}
    inputs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "honeydue"}}
    assert (
        look_up(candidate("kubernetes:core/v1:Namespace", "honeydue", inputs), kubernetes(namespace).lookups).id
        == "honeydue"
    )
