"""The rehearsal as CI and as the reader, who are no administrators: what they need works, what guards the product is refused."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from rehearsal import engine
from rehearsal.errors import RehearsalError
from rehearsal.world import World
from tests.rehearsal.cluster import NAMESPACE, items, rolled, snapshot
from tests.rehearsal.operator import ops

NO_SECRETS = ("--exclude", "urn:pulumi:prod::honeydue::**kubernetes:core/v1:Secret::*")
"""The reader may not read Secrets, so its refresh leaves them out."""


def kubeconfig(world: World, account: str) -> str:
    """As CI gets it: the cluster's address and authority, and a token of the account."""
    config = yaml.safe_load(world.layout.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": world.kubectl("create", "token", account, "--namespace=kube-system").strip()}
    return yaml.safe_dump(config)


@contextmanager
def acting_as(world: World, account: str) -> Iterator[None]:
    """The stack's kubeconfig is this account's meanwhile."""
    engine.set_kubeconfig(world.layout, kubeconfig(world, account))
    try:
        yield
    finally:
        engine.set_kubeconfig(world.layout, world.layout.kubeconfig.read_text())


@pytest.fixture(scope="module")
def settled(production: World) -> World:
    """The world with nothing left to do."""
    production.pulumi("up", "--yes", "--skip-preview")
    return production


def changes(world: World, *arguments: str) -> dict[str, str]:
    """What a preview would do, by resource; that another kubeconfig is in use is a change of the provider, and no other."""
    said = json.loads(world.pulumi("preview", "--json", *arguments).stdout)
    steps = {step["urn"].split("::", 2)[2]: step["op"] for step in said["steps"] if step["op"] not in {"same", "refresh"}}
    return {urn: op for urn, op in steps.items() if "pulumi:providers:kubernetes" not in urn}


def may(world: World, account: str, *question: str) -> bool:
    """What the API server itself answers."""
    try:
        return world.kubectl("auth", "can-i", *question, f"--as=system:serviceaccount:kube-system:{account}").strip() == "yes"
    except RehearsalError:
        # Its exit code says no.
        return False


def test_the_deployer_brings_the_stack_up_to_date_and_releases(settled: World) -> None:
    with acting_as(settled, "deployer"):
        assert changes(settled, "--refresh") == {}
        settled.pulumi("up", "--yes", "--skip-preview")
        settled.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
        before = snapshot(settled)
        settled.set_config("honeydue:images.api", "released-by-ci")
        settled.set_config("honeydue:images.web", "released-by-ci")
        settled.set_config("honeydue:environment.EMAIL_PORT", "2525")
        settled.pulumi("up", "--yes", "--skip-preview")
        after = snapshot(settled)
    assert rolled(before, after) == {"api", "worker", "web"}
    assert len(after.jobs - before.jobs) == 1
    assert all(one["status"].get("succeeded") == 1 for one in items(settled, "jobs"))


def test_the_deployer_cannot_touch_what_guards_the_product(settled: World) -> None:
    with acting_as(settled, "deployer"):
        settled.set_config("honeydue:images.redis", "valkey:8")  # another repository: a change of admission
        refused = settled.pulumi("up", "--yes", "--skip-preview", check=False)
        settled.set_config("honeydue:images.redis", "redis:7-alpine")
    assert refused.returncode != 0
    assert 'cannot patch resource "validatingadmissionpolicies"' in refused.stdout + refused.stderr


def test_the_reader_previews_a_release_and_finds_drift(settled: World) -> None:
    settled.pulumi("up", "--yes", "--skip-preview")
    with acting_as(settled, "viewer"):
        assert changes(settled, "--refresh", *NO_SECRETS) == {}
        settled.set_config("honeydue:images.web", "seen-by-the-reader")
        assert [urn.split("::")[-1] for urn in changes(settled, *NO_SECRETS)] == ["web"]
        settled.set_config("honeydue:images.web", "released-by-ci")
        settled.kubectl("scale", "deployment/admin", "--replicas=2", f"--namespace={NAMESPACE}")
        drifted = ops(settled, "drift", "--stack", "prod", "--without-secrets")
    settled.kubectl("scale", "deployment/admin", "--replicas=1", f"--namespace={NAMESPACE}")
    assert drifted.returncode == 2, drifted.stdout
    assert re.search(r"Deployment::admin +spec\.replicas +1 +2", drifted.stdout)


def test_the_reader_changes_nothing(settled: World) -> None:
    before = snapshot(settled)
    with acting_as(settled, "viewer"):
        settled.set_config("honeydue:images.web", "wished-by-the-reader")
        refused = settled.pulumi("up", "--yes", "--skip-preview", check=False)
        settled.set_config("honeydue:images.web", "released-by-ci")
    assert refused.returncode != 0
    assert 'cannot patch resource "deployments"' in refused.stdout + refused.stderr
    assert snapshot(settled) == before


@pytest.mark.parametrize("account", ["deployer", "viewer"])
def test_neither_climbs(settled: World, account: str) -> None:
    inside = f"--namespace={NAMESPACE}"
    for refused in (
        ("create", "pods", inside),
        ("create", "pods/exec", inside),
        ("create", "rolebindings", inside),
        ("create", "serviceaccounts/token", "--namespace=kube-system"),
        ("patch", "helmchartconfigs.helm.cattle.io", "--namespace=kube-system"),
        ("create", "deployments", "--namespace=kube-system"),
        ("get", "secrets", "--namespace=kube-system"),
        ("delete", "validatingadmissionpolicybindings"),
        ("patch", "namespaces"),
        ("impersonate", "users"),
    ):
        assert not may(settled, account, *refused), refused
    assert may(settled, account, "get", "deployments", inside)
    assert may(settled, account, "get", "secrets", inside) == (account == "deployer")
