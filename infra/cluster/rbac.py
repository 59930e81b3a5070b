"""Who may do what with the cluster besides its administrator: CI that deploys, and a reader for drift and previews (book ch05).

Both can do what the provider was seen to ask for (an audit log of `up`, a release and `preview --refresh`) and nothing else.
The deployer changes everything inside the product's namespace and nothing that guards it: namespaces, admission, these rights
themselves, k3s' own namespace. A change of those is refused to it, and is the administrator's. Whoever could change Traefik's
HelmChartConfig could have k3s install anything as cluster-admin; so it stands with the guards.
"""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.rbac.v1 import (
    ClusterRole,
    ClusterRoleBinding,
    PolicyRuleArgs,
    Role,
    RoleBinding,
    RoleRefArgs,
    SubjectArgs,
)

from infra.cluster.namespace import Namespace
from infra.component import Component
from infra.machines.k3s import SNAPSHOT_SECRET
from infra.settings.schema import Settings

Resources = Mapping[str, Sequence[str]]
"""Resources by API group."""

HOME = "kube-system"
"""Where the accounts live: not where the deployer makes pods, which could take their tokens."""
DEPLOYER = "deployer"
VIEWER = "viewer"
GUARDS = "honeydue-guards"

APPS: Resources = {
    "": ["configmaps", "persistentvolumeclaims", "serviceaccounts", "services"],
    "apps": ["deployments"],
    "autoscaling": ["horizontalpodautoscalers"],
    "batch": ["jobs"],
    "networking.k8s.io": ["ingresses", "networkpolicies"],
    "policy": ["poddisruptionbudgets"],
    "traefik.io": ["middlewares"],
}
"""What the product is made of, all in its namespace."""
SECRET: Resources = {"": ["secrets"]}
"""Likewise, but for the deployer's eyes alone: drift and previews do without (docs/architecture.md)."""
AWAITED: Resources = {
    "": ["endpoints", "events", "persistentvolumeclaims", "pods", "services"],
    "apps": ["deployments", "replicasets"],
    "batch": ["jobs"],
}
"""What the provider follows until a thing is ready."""
GUARDING: Resources = {
    "": ["namespaces", "serviceaccounts"],
    "admissionregistration.k8s.io": ["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
    "autoscaling": ["horizontalpodautoscalers"],
    "helm.cattle.io": ["helmchartconfigs"],
    "networking.k8s.io": ["networkpolicies"],
    "rbac.authorization.k8s.io": ["clusterrolebindings", "clusterroles", "rolebindings", "roles"],
    "traefik.io": ["tlsoptions"],
}
"""What only the administrator changes, in any namespace or none."""
SIGNATURE_LOGIN = "connaisseur-registry"
"""The login that signatures are read with, beside k3s' own Secrets."""
LOOKED_UP: Resources = {"storage.k8s.io": ["storageclasses"]}
"""Tells the provider whether a new claim waits for its first pod."""


def rules(resources: Resources, *verbs: str) -> list[PolicyRuleArgs]:
    """The same verbs on each."""
    return [
        PolicyRuleArgs(api_groups=[group], resources=list(names), verbs=list(verbs))
        for group, names in resources.items()
    ]


def deployer_rules() -> list[PolicyRuleArgs]:
    """Server-side apply is a patch, and a create where nothing is yet; a watch begins with a list."""
    change = ("get", "create", "patch", "delete")
    return [*rules(APPS, *change), *rules(SECRET, *change), *rules(AWAITED, "list", "watch")]


def viewer_rules() -> list[PolicyRuleArgs]:
    """Lists, so that drift can find what nobody declared."""
    return [*rules(APPS, "get", "list", "watch"), *rules(AWAITED, "list", "watch")]


def guard_rules(settings: Settings) -> list[PolicyRuleArgs]:
    """A refresh looks at every object of the stack, and so at what the settings may leave out when they do not."""
    upgrades = settings.upgrades
    optional: dict[str, Sequence[str]] = {}
    if settings.signed or upgrades:
        optional["helm.cattle.io"] = ["helmcharts"]
    if upgrades and upgrades.k3s:
        optional |= {"apiextensions.k8s.io": ["customresourcedefinitions"], "upgrade.cattle.io": ["plans"]}
    # By name: beside them are k3s' own.
    names = [*([SIGNATURE_LOGIN] if settings.signed else []), *([SNAPSHOT_SECRET] if settings.snapshots else [])]
    named = (
        [PolicyRuleArgs(api_groups=[""], resources=["secrets"], resource_names=names, verbs=["get"])] if names else []
    )
    return [*rules(GUARDING, "get"), *rules(LOOKED_UP, "get"), *rules(optional, "get"), *named]


class Identities(Component):
    """The two accounts and their rights. Their tokens are made when they are needed: `kubectl create token`."""

    def __init__(self, settings: Settings, *, namespace: Namespace, provider: kubernetes.Provider) -> None:
        super().__init__("cluster:Identities", "identities", provider=provider)
        child = pulumi.ResourceOptions(parent=self)
        guards = ClusterRole(GUARDS, metadata=ObjectMetaArgs(name=GUARDS), rules=guard_rules(settings), opts=child)
        for name, allowed in {DEPLOYER: deployer_rules(), VIEWER: viewer_rules()}.items():
            ServiceAccount(
                f"{HOME}-{name}",
                metadata=ObjectMetaArgs(name=name, namespace=HOME),
                automount_service_account_token=False,
                opts=child,
            )
            subjects = [SubjectArgs(kind="ServiceAccount", name=name, namespace=HOME)]
            there = ObjectMetaArgs(name=name, namespace=namespace.name)
            role = Role(name, metadata=there, rules=allowed, opts=child)
            RoleBinding(name, metadata=there, role_ref=_role(role), subjects=subjects, opts=child)
            ClusterRoleBinding(
                f"{GUARDS}-{name}",
                metadata=ObjectMetaArgs(name=f"{GUARDS}-{name}"),
                role_ref=_role(guards),
                subjects=subjects,
                opts=child,
            )
        self.register_outputs({})


def _role(role: Role | ClusterRole) -> RoleRefArgs:
    return RoleRefArgs(api_group="rbac.authorization.k8s.io", kind=role.kind, name=role.metadata.name)
