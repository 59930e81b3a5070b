"""The service accounts deployer and viewer can do what CI needs, and cannot change what protects the cluster."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from rehearsal.engine.stack import set_kubeconfig
from rehearsal.errors import RehearsalError
from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE, items, rolled, snapshot
from tests.rehearsal.dry_runs import manifest, pod
from tests.rehearsal.operator import ops
from tests.rehearsal.templates import EVERY_OPTION

NO_SECRETS = ("--exclude", "urn:pulumi:prod::honeydue::**kubernetes:core/v1:Secret::*")
"""The viewer has no right to read Secrets, so its refresh excludes them."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with all optional settings, whose objects the accounts must not be able to change either."""
    with EVERY_OPTION.clone(tmp_path_factory.mktemp("worlds") / "every-option") as world:
        yield world


def kubeconfig(world: World, account: str) -> str:
    """The kubeconfig of CI: address and CA of the cluster, and a token of the service account."""
    config = yaml.safe_load(world.layout.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": world.kubectl("create", "token", account, "--namespace=kube-system").strip()}
    return yaml.safe_dump(config)


@contextmanager
def acting_as(world: World, account: str) -> Iterator[None]:
    """Sets the kubeconfig of the stack to this service account. Restores the administrator's afterwards."""
    set_kubeconfig(world.layout, kubeconfig(world, account))
    try:
        yield
    finally:
        set_kubeconfig(world.layout, world.layout.kubeconfig.read_text())


def changes(world: World, *arguments: str) -> dict[str, str]:
    """The planned operations by resource, without the provider, which changes with the kubeconfig."""
    preview = json.loads(world.pulumi("preview", "--json", *arguments).stdout)
    steps = {
        step["urn"].split("::", 2)[2]: step["op"] for step in preview["steps"] if step["op"] not in {"same", "refresh"}
    }
    return {urn: op for urn, op in steps.items() if "pulumi:providers:kubernetes" not in urn}


def may(world: World, account: str, *action: str) -> bool:
    """Whether the API server allows the action (`kubectl auth can-i`)."""
    user = f"--as=system:serviceaccount:kube-system:{account}"
    try:
        return world.kubectl("auth", "can-i", *action, user).strip() == "yes"
    except RehearsalError:
        # The answer "no" has a non-zero exit code.
        return False


def test_the_deployer_applies_the_program_and_releases(world: World) -> None:
    with acting_as(world, "deployer"):
        assert changes(world, "--refresh") == {}
        world.pulumi("up", "--yes", "--skip-preview")
        world.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
        before = snapshot(world)
        world.set_config("honeydue:images.api", "released-by-ci")
        world.set_config("honeydue:images.web", "released-by-ci")
        world.set_config("honeydue:database.port", 6432)
        world.pulumi("up", "--yes", "--skip-preview")
        after = snapshot(world)
    assert rolled(before, after) == {"api", "worker", "web"}
    assert len(after.jobs - before.jobs) == 1
    assert all(job["status"].get("succeeded") == 1 for job in items(world, "jobs"))


def test_the_deployer_releases_at_the_maximum_of_the_autoscaler_within_the_quota(world: World) -> None:
    with acting_as(world, "deployer"):
        world.set_config("honeydue:scale.api.min", 8)
        world.set_config("honeydue:scale.api.max", 8)
        world.pulumi("up", "--yes", "--skip-preview")
        world.kubectl("rollout", "status", "deployment/api", f"--namespace={NAMESPACE}", "--timeout=120s")
        for app in ("api", "admin", "web"):
            world.set_config(f"honeydue:images.{app}", "released-at-the-maximum")
        world.pulumi("up", "--yes", "--skip-preview")
    (api,) = (item for item in items(world, "deployments") if item["metadata"]["name"] == "api")
    assert api["status"]["updatedReplicas"] == api["status"]["availableReplicas"] == 8
    assert [event["message"] for event in items(world, "events") if "exceeded quota" in event["message"]] == []
    # As large as 40 pods of api.
    large = manifest("Pod", pod("redis:7-alpine"))
    (container,) = large["spec"]["containers"]
    resources = {"limits": {"cpu": "1", "memory": "512Mi"}}
    large["spec"]["containers"] = [
        {**container, "name": f"app{number}", "resources": resources} for number in range(40)
    ]
    with pytest.raises(RehearsalError, match="exceeded quota: honeydue"):
        world.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(large))


def test_the_deployer_cannot_change_the_admission_policies(world: World) -> None:
    with acting_as(world, "deployer"):
        # The admission policies name the repository of this image.
        world.set_config("honeydue:images.redis", "valkey:8")
        refused = world.pulumi("up", "--yes", "--skip-preview", check=False)
        world.set_config("honeydue:images.redis", "redis:7-alpine")
    assert refused.returncode != 0
    assert 'cannot patch resource "validatingadmissionpolicies"' in refused.stdout + refused.stderr


def test_the_viewer_previews_a_release_and_detects_drift(world: World) -> None:
    world.pulumi("up", "--yes", "--skip-preview")
    with acting_as(world, "viewer"):
        assert changes(world, "--refresh", *NO_SECRETS) == {}
        world.set_config("honeydue:images.web", "previewed-by-the-viewer")
        assert [urn.split("::")[-1] for urn in changes(world, *NO_SECRETS)] == ["web"]
        world.set_config("honeydue:images.web", "released-by-ci")
        world.kubectl("scale", "deployment/admin", "--replicas=2", f"--namespace={NAMESPACE}")
        drifted = ops(world, "drift", "--stack", "prod", "--without-secrets")
    world.kubectl("scale", "deployment/admin", "--replicas=1", f"--namespace={NAMESPACE}")
    assert drifted.returncode == 2, drifted.stdout
    assert re.search(r"Deployment::admin\s+spec\.replicas\s+declared +1\s+actual +2", drifted.stdout)
    assert re.search(r"Not checked because of --without-secrets: .*Secret::honeydue-secrets", drifted.stdout)


def test_the_viewer_cannot_apply_a_release(world: World) -> None:
    before = snapshot(world)
    with acting_as(world, "viewer"):
        world.set_config("honeydue:images.web", "refused-to-the-viewer")
        refused = world.pulumi("up", "--yes", "--skip-preview", check=False)
        world.set_config("honeydue:images.web", "released-by-ci")
    assert refused.returncode != 0
    assert 'cannot patch resource "deployments"' in refused.stdout + refused.stderr
    assert snapshot(world) == before


@pytest.mark.parametrize("account", ["deployer", "viewer"])
def test_deployer_and_viewer_cannot_escalate_their_rights(world: World, account: str) -> None:
    in_namespace = f"--namespace={NAMESPACE}"
    for refused in (
        ("create", "pods", in_namespace),
        ("create", "pods/exec", in_namespace),
        ("create", "rolebindings", in_namespace),
        ("create", "serviceaccounts/token", "--namespace=kube-system"),
        ("patch", "helmchartconfigs.helm.cattle.io", "--namespace=kube-system"),
        ("create", "deployments", "--namespace=kube-system"),
        ("get", "secrets", "--namespace=kube-system"),
        ("get", "secrets/k3s-serving", "--namespace=kube-system"),
        ("delete", "validatingadmissionpolicybindings"),
        ("patch", "namespaces"),
        ("impersonate", "users"),
    ):
        assert not may(world, account, *refused), refused
    assert may(world, account, "get", "deployments", in_namespace)
    for secret in (
        ("secrets", in_namespace),
        ("secrets/k3s-etcd-snapshot-s3-config", "--namespace=kube-system"),
    ):
        assert may(world, account, "get", *secret) == (account == "deployer"), secret


GUARDS = (
    "networkpolicy/default-deny",
    "middleware.traefik.io/cloudflare-only",
    "secret/cloudflare-origin-pulls",
    "serviceaccount/default",
)
"""Objects that restrict the deployer, of kinds that it may change."""


def as_deployer(world: World, *arguments: str) -> str:
    """The error of a dry run as the deployer, or an empty text if the API server accepts it."""
    deployer = "--as=system:serviceaccount:kube-system:deployer"
    try:
        world.kubectl(*arguments, f"--namespace={NAMESPACE}", "--dry-run=server", deployer)
    except RehearsalError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("guard", GUARDS)
def test_only_the_administrator_may_change_or_delete_a_guard(world: World, guard: str) -> None:
    patch = ("--type=merge", "--patch", '{"metadata": {"labels": {"changed": "manually"}}}')
    for action in (("delete", guard), ("patch", guard, *patch)):
        assert "only the administrator may change or delete" in as_deployer(world, *action)
        world.kubectl(*action, f"--namespace={NAMESPACE}", "--dry-run=server")


def test_a_guard_is_protected_when_its_collection_is_deleted(world: World) -> None:
    """The deployer may not delete collections. An account with more rights than the deployer has no more here."""
    binding = ("rolebinding", "collections", "--serviceaccount=kube-system:deployer", f"--namespace={NAMESPACE}")
    world.kubectl("create", *binding, "--clusterrole=cluster-admin")
    try:
        error = as_deployer(world, "delete", "networkpolicies", "--all")
    finally:
        world.kubectl("delete", "rolebinding", "collections", f"--namespace={NAMESPACE}")
    assert "only the administrator may change or delete networkpolicies/default-deny" in error


@pytest.mark.parametrize("secret", ["honeydue-secrets", "admin-basic-auth"])
def test_the_deployer_may_change_the_other_secrets(world: World, secret: str) -> None:
    patch = ("--type=merge", "--patch", '{"metadata": {"labels": {"changed": "manually"}}}')
    assert as_deployer(world, "patch", f"secret/{secret}", *patch) == ""
