"""The rehearsal as CI and as the reader, who are no administrators: what they need works, what guards the product is refused."""

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
"""The reader may not read Secrets, so its refresh leaves them out."""


def kubeconfig(world: World, account: str) -> str:
    """As CI gets it: the cluster's address and authority, and a token of the account."""
    config = yaml.safe_load(world.layout.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": world.kubectl("create", "token", account, "--namespace=kube-system").strip()}
    return yaml.safe_dump(config)


@contextmanager
def acting_as(world: World, account: str) -> Iterator[None]:
    """The stack's kubeconfig is this account's meanwhile."""
    set_kubeconfig(world.layout, kubeconfig(world, account))
    try:
        yield
    finally:
        set_kubeconfig(world.layout, world.layout.kubeconfig.read_text())


def changes(world: World, *arguments: str) -> dict[str, str]:
    """What a preview would do, by resource; that another kubeconfig is in use is a change of the provider, and no other."""
    said = json.loads(world.pulumi("preview", "--json", *arguments).stdout)
    steps = {
        step["urn"].split("::", 2)[2]: step["op"] for step in said["steps"] if step["op"] not in {"same", "refresh"}
    }
    return {urn: op for urn, op in steps.items() if "pulumi:providers:kubernetes" not in urn}


def may(world: World, account: str, *question: str) -> bool:
    """What the API server itself answers."""
    try:
        return (
            world.kubectl("auth", "can-i", *question, f"--as=system:serviceaccount:kube-system:{account}").strip()
            == "yes"
        )
    except RehearsalError:
        # Its exit code says no.
        return False


def test_the_deployer_brings_the_stack_up_to_date_and_releases(production: World) -> None:
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
    assert all(one["status"].get("succeeded") == 1 for one in items(production, "jobs"))


def test_the_deployer_cannot_touch_what_guards_the_product(production: World) -> None:
    with acting_as(production, "deployer"):
        production.set_config("honeydue:images.redis", "valkey:8")  # another repository: a change of admission
        refused = production.pulumi("up", "--yes", "--skip-preview", check=False)
        production.set_config("honeydue:images.redis", "redis:7-alpine")
    assert refused.returncode != 0
    assert 'cannot patch resource "validatingadmissionpolicies"' in refused.stdout + refused.stderr


def test_the_reader_previews_a_release_and_finds_drift(production: World) -> None:
    production.pulumi("up", "--yes", "--skip-preview")
    with acting_as(production, "viewer"):
        assert changes(production, "--refresh", *NO_SECRETS) == {}
        production.set_config("honeydue:images.web", "seen-by-the-reader")
        assert [urn.split("::")[-1] for urn in changes(production, *NO_SECRETS)] == ["web"]
        production.set_config("honeydue:images.web", "released-by-ci")
        production.kubectl("scale", "deployment/admin", "--replicas=2", f"--namespace={NAMESPACE}")
        drifted = ops(production, "drift", "--stack", "prod", "--without-secrets")
    production.kubectl("scale", "deployment/admin", "--replicas=1", f"--namespace={NAMESPACE}")
    assert drifted.returncode == 2, drifted.stdout
    assert re.search(r"Deployment::admin +spec\.replicas +1 +2", drifted.stdout)


def test_the_reader_changes_nothing(production: World) -> None:
    before = snapshot(production)
    with acting_as(production, "viewer"):
        production.set_config("honeydue:images.web", "wished-by-the-reader")
        refused = production.pulumi("up", "--yes", "--skip-preview", check=False)
        production.set_config("honeydue:images.web", "released-by-ci")
    assert refused.returncode != 0
    assert 'cannot patch resource "deployments"' in refused.stdout + refused.stderr
    assert snapshot(production) == before


@pytest.mark.parametrize("account", ["deployer", "viewer"])
def test_neither_climbs(production: World, account: str) -> None:
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
        assert not may(production, account, *refused), refused
    assert may(production, account, "get", "deployments", inside)
    assert may(production, account, "get", "secrets", inside) == (account == "deployer")
