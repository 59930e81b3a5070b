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
from tests.rehearsal.operator import ops

NO_SECRETS = ("--exclude", "urn:pulumi:prod::honeydue::**kubernetes:core/v1:Secret::*")
"""The viewer has no right to read Secrets, so its refresh excludes them."""


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


def test_the_deployer_applies_the_program_and_releases(production: World) -> None:
    with acting_as(production, "deployer"):
        assert changes(production, "--refresh") == {}
        production.pulumi("up", "--yes", "--skip-preview")
        production.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
        before = snapshot(production)
        production.set_config("honeydue:images.api", "released-by-ci")
        production.set_config("honeydue:images.web", "released-by-ci")
        production.set_config("honeydue:environment.EMAIL_PORT", "2525")
        production.pulumi("up", "--yes", "--skip-preview")
        after = snapshot(production)
    assert rolled(before, after) == {"api", "worker", "web"}
    assert len(after.jobs - before.jobs) == 1
    assert all(job["status"].get("succeeded") == 1 for job in items(production, "jobs"))


def test_the_deployer_cannot_change_the_admission_policies(production: World) -> None:
    with acting_as(production, "deployer"):
        # The admission policies name the repository of this image.
        production.set_config("honeydue:images.redis", "valkey:8")
        refused = production.pulumi("up", "--yes", "--skip-preview", check=False)
        production.set_config("honeydue:images.redis", "redis:7-alpine")
    assert refused.returncode != 0
    assert 'cannot patch resource "validatingadmissionpolicies"' in refused.stdout + refused.stderr


def test_the_viewer_previews_a_release_and_detects_drift(production: World) -> None:
    production.pulumi("up", "--yes", "--skip-preview")
    with acting_as(production, "viewer"):
        assert changes(production, "--refresh", *NO_SECRETS) == {}
        production.set_config("honeydue:images.web", "previewed-by-the-viewer")
        assert [urn.split("::")[-1] for urn in changes(production, *NO_SECRETS)] == ["web"]
        production.set_config("honeydue:images.web", "released-by-ci")
        production.kubectl("scale", "deployment/admin", "--replicas=2", f"--namespace={NAMESPACE}")
        drifted = ops(production, "drift", "--stack", "prod", "--without-secrets")
    production.kubectl("scale", "deployment/admin", "--replicas=1", f"--namespace={NAMESPACE}")
    assert drifted.returncode == 2, drifted.stdout
    assert re.search(r"Deployment::admin\s+spec\.replicas\s+declared +1\s+actual +2", drifted.stdout)
    assert re.search(r"Not checked because of --without-secrets: .*Secret::honeydue-secrets", drifted.stdout)


def test_the_viewer_cannot_apply_a_release(production: World) -> None:
    before = snapshot(production)
    with acting_as(production, "viewer"):
        production.set_config("honeydue:images.web", "refused-to-the-viewer")
        refused = production.pulumi("up", "--yes", "--skip-preview", check=False)
        production.set_config("honeydue:images.web", "released-by-ci")
    assert refused.returncode != 0
    assert 'cannot patch resource "deployments"' in refused.stdout + refused.stderr
    assert snapshot(production) == before


@pytest.mark.parametrize("account", ["deployer", "viewer"])
def test_deployer_and_viewer_cannot_escalate_their_rights(production: World, account: str) -> None:
    in_namespace = f"--namespace={NAMESPACE}"
    for refused in (
        ("create", "pods", in_namespace),
        ("create", "pods/exec", in_namespace),
        ("create", "rolebindings", in_namespace),
        ("create", "serviceaccounts/token", "--namespace=kube-system"),
        ("patch", "helmchartconfigs.helm.cattle.io", "--namespace=kube-system"),
        ("create", "deployments", "--namespace=kube-system"),
        ("get", "secrets", "--namespace=kube-system"),
        ("delete", "validatingadmissionpolicybindings"),
        ("patch", "namespaces"),
        ("impersonate", "users"),
    ):
        assert not may(production, account, *refused), refused
    assert may(production, account, "get", "deployments", in_namespace)
    assert may(production, account, "get", "secrets", in_namespace) == (account == "deployer")
