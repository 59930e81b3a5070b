"""`make drift`: undeclared objects of the namespace, and undeclared DNS records."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from infra.names import MONITORING, NAMESPACE, NODE_EXPORTER, OWN_NAMESPACES
from ops.adoption.lookups.cloudflare import Cloudflare
from ops.drift.rows import EXISTS, NOT_DECLARED
from ops.drift.undeclared import undeclared_objects, undeclared_records
from ops.errors import ForbiddenError, OpsError
from ops.kubernetes import Cluster, Object
from ops.plan import State
from tests.unit.clouds.api import CLOUDFLARE_TOKEN, Api, account, served
from tests.unit.plans import CONFIG_MAP, DEPLOYMENT, JOB, RECORD, SECRET, state
from tests.unit.plugins.engine import provision

ZONE, DOMAIN = "023e105f4ecef8ad9ca31a8372d0c353", "myhoneydue.com"


class FakeCluster(Cluster):
    """A cluster with these objects, whose account may not list Secrets."""

    def __init__(self, *objects: Object) -> None:
        self._objects = objects
        self.requests: list[tuple[str, str]] = []

    def list(self, api_version: str, kind: str, namespace: str) -> Sequence[Object]:
        self.requests.append((kind, namespace))
        if kind == "Secret":
            raise ForbiddenError("secrets is forbidden")
        return [
            item
            for item in self._objects
            if (item["apiVersion"], item["kind"]) == (api_version, kind)
            and item["metadata"].get("namespace", NAMESPACE) == namespace
        ]


def declared_namespace(name: str) -> State:
    return State.model_validate(state("kubernetes:core/v1:Namespace", name, inputs={"metadata": {"name": name}}))


def declared_object(kind: str, name: str, id_: str) -> State:
    """An object in the namespace of its id."""
    _, _, api = kind.partition(":")
    version, _, short = api.partition(":")
    inputs = {
        "apiVersion": version.removeprefix("core/"),
        "kind": short,
        "metadata": {"name": name, "namespace": id_.partition("/")[0]},
    }
    return State.model_validate(state(kind, name, id=id_, inputs=inputs))


def live_object(version: str, kind: str, name: str, **metadata: Any) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **metadata}}


def test_undeclared_objects_are_drift_unless_a_controller_created_them() -> None:
    declared = [
        declared_namespace(NAMESPACE),
        declared_object(DEPLOYMENT, "api", f"{NAMESPACE}/api"),
        declared_object(JOB, "migrate", f"{NAMESPACE}/migrate-12ab"),
        declared_object(CONFIG_MAP, "config", f"{NAMESPACE}/config"),
        declared_object(SECRET, "secrets", f"{NAMESPACE}/secrets"),
    ]
    cluster = FakeCluster(
        live_object("apps/v1", "Deployment", "api"),
        live_object("apps/v1", "Deployment", "spy"),
        live_object("batch/v1", "Job", "migrate-12ab"),
        live_object("v1", "ConfigMap", "kube-root-ca.crt"),
        live_object("v1", "ConfigMap", "config"),
        live_object("apps/v1", "ReplicaSet", "api-1", ownerReferences=[{"kind": "Deployment", "name": "api"}]),
        live_object("v1", "Pod", "lone"),
    )
    undeclared = undeclared_objects(cluster, declared)
    assert {(item.resource, item.declared, item.actual) for item in undeclared.rows} == {
        ("Deployment spy", NOT_DECLARED, EXISTS),
        ("Pod lone", NOT_DECLARED, EXISTS),
    }
    assert undeclared.unlisted_kinds == ["Secret"]


def test_every_namespace_of_the_stack_is_searched_once_for_each_kind() -> None:
    declared = [
        *map(declared_namespace, (*OWN_NAMESPACES, "system-upgrade")),
        declared_object(DEPLOYMENT, "api", f"{NAMESPACE}/api"),
        declared_object("kubernetes:apps/v1:DaemonSet", "vmagent", f"{MONITORING}/vmagent"),
        declared_object("kubernetes:apps/v1:DaemonSet", NODE_EXPORTER, f"{NODE_EXPORTER}/{NODE_EXPORTER}"),
    ]
    cluster = FakeCluster(
        live_object("apps/v1", "DaemonSet", "vmagent", namespace=MONITORING),
        # The name of an object in another namespace.
        live_object("apps/v1", "Deployment", "api", namespace=MONITORING),
        live_object("apps/v1", "DaemonSet", NODE_EXPORTER, namespace=NODE_EXPORTER),
        live_object("v1", "Pod", "shell", namespace=NODE_EXPORTER),
        live_object("v1", "Pod", "theirs", namespace="system-upgrade"),
    )
    undeclared = undeclared_objects(cluster, declared)
    assert {row.resource for row in undeclared.rows} == {
        f"Deployment {MONITORING}/api",
        f"Pod {NODE_EXPORTER}/shell",
    }
    assert len(cluster.requests) == len(set(cluster.requests))


def test_without_monitoring_its_namespaces_are_not_searched() -> None:
    cluster = FakeCluster()
    undeclared_objects(cluster, [declared_namespace(NAMESPACE), declared_object(DEPLOYMENT, "api", f"{NAMESPACE}/api")])
    assert {namespace for _, namespace in cluster.requests} == {NAMESPACE}


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    account(tmp_path)
    with served(tmp_path) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield tmp_path


def record(clouds: Path, name: str, content: str, type_: str = "A") -> str:
    return provision(
        clouds,
        RECORD,
        {"zoneId": ZONE, "name": f"{name}.{DOMAIN}".removeprefix("@."), "type": type_, "content": content, "ttl": 1},
    )


def test_undeclared_records_with_names_or_addresses_of_the_stack_are_drift(clouds: Path) -> None:
    outputs = {"zoneId": ZONE, "name": f"api.{DOMAIN}", "content": "192.0.2.1"}
    id_ = record(clouds, "api", "192.0.2.1")
    declared = [State.model_validate(state(RECORD, "api", id=id_, outputs=outputs))]
    record(clouds, "@", '"v=spf1 -all"', "TXT")
    record(clouds, "api", '"verification"', "TXT")
    record(clouds, "blog", "192.0.2.77")
    cloudflare = Cloudflare(CLOUDFLARE_TOKEN)
    assert list(undeclared_records(cloudflare, declared)) == []

    record(clouds, "api", "192.0.2.9")
    record(clouds, "direct", "192.0.2.1")
    service = {
        "name": f"api.{DOMAIN}",
        "type": "HTTPS",
        "data": {"priority": 1, "target": "x.example", "value": "alpn=h2"},
    }
    created = Api("cloudflare", clouds)("POST", f"/zones/{ZONE}/dns_records", {**service, "ttl": 1})
    assert created.status == 200, created.json
    assert {item.resource for item in undeclared_records(cloudflare, declared)} == {
        f"A record api.{DOMAIN} → 192.0.2.9",
        f"A record direct.{DOMAIN} → 192.0.2.1",
        f"HTTPS record api.{DOMAIN} → 1 x.example alpn=h2",
    }
    with pytest.raises(OpsError, match="rejects the token"):
        list(undeclared_records(Cloudflare("another"), declared))
