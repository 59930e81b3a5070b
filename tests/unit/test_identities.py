"""CI and the reader may do what the program's own kinds need, and nothing else."""

from collections.abc import Iterator

import pytest

from tests.unit.capture import Capture
from tests.unit.manifests import Object, manifests, of

GUARD_NAMES = {"default-deny", "default", "deployer", "viewer"}
"""What stands in the product's namespace and still guards it: its first policy, its idle account, the rights themselves."""
CHANGE = {"create", "patch", "delete", "update", "deletecollection"}
NEVER = {"*", "bind", "escalate", "impersonate", "update", "deletecollection"}

Kind = tuple[str, str]
"""API group and resource."""


def kind_of(one: Object) -> Kind:
    group, _, version = str(one["apiVersion"]).rpartition("/")
    assert version
    name = str(one["kind"]).lower()
    return group, name[:-1] + "ies" if name.endswith("y") else name + "es" if name.endswith("ss") else name + "s"


def declared(program: Capture, *, guarding: bool) -> set[Kind]:
    """The kinds that the program registers: the product's, or those that guard it."""
    return {kind_of(one) for one in manifests(program) if guards(one) == guarding}


def guards(one: Object) -> bool:
    return one["metadata"].get("namespace") != "honeydue" or one["metadata"]["name"] in GUARD_NAMES


def role(program: Capture, kind: str, name: str) -> Object:
    (found,) = (one for one in of(manifests(program), kind) if one["metadata"]["name"] == name)
    return found


def rights(one: Object) -> Iterator[tuple[Kind, str]]:
    for rule in one["rules"]:
        assert rule.keys() - {"resourceNames"} == {"apiGroups", "resources", "verbs"}
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    yield (group, resource), verb


def test_the_deployer_changes_every_kind_of_the_product_and_no_other(program: Capture) -> None:
    held = set(rights(role(program, "Role", "deployer")))
    for verb in ("get", "create", "patch", "delete"):
        assert {kind for kind, one in held if one == verb} == declared(program, guarding=False), verb


def test_the_viewer_sees_every_kind_of_the_product_but_secrets(program: Capture) -> None:
    held = set(rights(role(program, "Role", "viewer")))
    assert {kind for kind, verb in held if verb == "get"} == declared(program, guarding=False) - {("", "secrets")}
    assert not {kind for kind, _ in held if kind[1] == "secrets"}
    assert not {verb for _, verb in held} & CHANGE


def test_both_only_look_at_what_guards_the_product(program: Capture) -> None:
    held = set(rights(role(program, "ClusterRole", "honeydue-guards")))
    assert {verb for _, verb in held} == {"get"}
    assert {kind for kind, _ in held} - {("storage.k8s.io", "storageclasses")} == declared(program, guarding=True)


def test_of_secrets_outside_the_product_they_see_the_programs_own_by_name(program: Capture) -> None:
    secrets = {one["metadata"]["name"] for one in of(manifests(program), "Secret") if guards(one)}
    about = [
        rule for rule in role(program, "ClusterRole", "honeydue-guards")["rules"] if "secrets" in rule["resources"]
    ]
    assert {name for rule in about for name in rule["resourceNames"]} == secrets
    assert [rule for rule in about if rule["resources"] != ["secrets"]] == []


@pytest.mark.parametrize("kind", ["Role", "ClusterRole"])
def test_nothing_is_granted_wholesale(program: Capture, kind: str) -> None:
    for one in of(manifests(program), kind):
        for (group, resource), verb in rights(one):
            assert "*" not in group + resource, one["metadata"]["name"]
            assert verb not in NEVER, one["metadata"]["name"]
            assert resource not in {"pods/exec", "pods/attach", "serviceaccounts/token"}


@pytest.mark.parametrize("kind", ["RoleBinding", "ClusterRoleBinding"])
def test_nobody_is_bound_to_a_role_of_kubernetes_own(program: Capture, kind: str) -> None:
    ours = {one["metadata"]["name"] for name in ("Role", "ClusterRole") for one in of(manifests(program), name)}
    for one in of(manifests(program), kind):
        assert one["roleRef"]["name"] in ours
        assert {(subject["kind"], subject["namespace"]) for subject in one["subjects"]} == {
            ("ServiceAccount", "kube-system")
        }
