"""RBAC for accounts other than the administrator: the deployer of CI, and a viewer for drift and previews.

Their permissions are those that the provider needs, taken from the audit log of an `up`, a release and a
`preview --refresh`. The deployer may change everything in the app namespace, and nothing that restricts it: namespaces,
admission policies, RBAC, kube-system. Only the administrator may change these. They include Traefik's HelmChartConfig,
because with it k3s would install anything as cluster-admin.
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
from infra.names import KUBE_SYSTEM
from infra.settings.schema import Settings

Resources = Mapping[str, Sequence[str]]
"""Resources by API group."""

DEPLOYER = "deployer"
VIEWER = "viewer"
"""Both accounts are in kube-system. In the app namespace, a pod of the deployer could use their tokens."""
RESTRICTIONS_READER = "honeydue-guards"
"""The ClusterRole to read the objects that restrict the deployer."""

APPS: Resources = {
    "": ["configmaps", "limitranges", "persistentvolumeclaims", "resourcequotas", "serviceaccounts", "services"],
    "apps": ["deployments"],
    "autoscaling": ["horizontalpodautoscalers"],
    "batch": ["jobs"],
    "networking.k8s.io": ["ingresses", "networkpolicies"],
    "policy": ["poddisruptionbudgets"],
    "traefik.io": ["middlewares"],
}
"""The objects of the apps, all in the app namespace."""
CRON_JOBS: Resources = {"batch": ["cronjobs"]}
"""Also objects of the apps, while the database is dumped."""
SECRETS: Resources = {"": ["secrets"]}
"""Also in the app namespace, but only for the deployer: drift and previews work without (docs/architecture.md)."""
AWAITED: Resources = {
    "": ["endpoints", "events", "persistentvolumeclaims", "pods", "services"],
    "apps": ["deployments", "replicasets"],
    "batch": ["jobs"],
}
"""The objects that the provider watches until a resource is ready."""
RESTRICTIONS: Resources = {
    "": ["namespaces", "serviceaccounts"],
    "admissionregistration.k8s.io": ["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
    "autoscaling": ["horizontalpodautoscalers"],
    "helm.cattle.io": ["helmchartconfigs"],
    "networking.k8s.io": ["networkpolicies"],
    "rbac.authorization.k8s.io": ["clusterrolebindings", "clusterroles", "rolebindings", "roles"],
    "traefik.io": ["tlsoptions"],
}
"""Objects that only the administrator may change, in other namespaces or cluster-wide."""
MONITORING_OBJECTS: Resources = {
    "": ["configmaps", "services"],
    "apps": ["daemonsets", "deployments", "statefulsets"],
    "policy": ["poddisruptionbudgets"],
}
"""The objects in the namespaces of monitoring and logs that are not among the restrictions."""
OTHER_PODS: Resources = {"": ["pods"], "apps": ["replicasets"], "batch": ["cronjobs", "jobs"]}
"""With those above, all objects that run containers."""
NODES: Resources = {"": ["nodes"]}
"""Before a server stops, `make up` reads whether the other nodes are Ready."""
STORAGE_CLASSES: Resources = {"storage.k8s.io": ["storageclasses"]}
"""The provider reads whether a new claim is only bound when its first pod is scheduled."""


def rules(resources: Resources, *verbs: str) -> list[PolicyRuleArgs]:
    """Policy rules with the same verbs for all resources."""
    return [
        PolicyRuleArgs(api_groups=[group], resources=list(names), verbs=list(verbs))
        for group, names in resources.items()
    ]


def optional_apps(settings: Settings) -> Resources:
    """The objects of the apps that only some settings declare."""
    return CRON_JOBS if settings.backups else {}


def deployer_rules(optional: Resources) -> list[PolicyRuleArgs]:
    """Server-side apply needs patch, and create for new objects. A watch begins with a list."""
    change = ("get", "create", "patch", "delete")
    return [
        *rules(APPS, *change),
        *rules(optional, *change),
        *rules(SECRETS, *change),
        *rules(AWAITED, "list", "watch"),
    ]


def viewer_rules(optional: Resources) -> list[PolicyRuleArgs]:
    """Includes list, so that drift can find undeclared objects."""
    read = ("get", "list", "watch")
    return [*rules(APPS, *read), *rules(optional, *read), *rules(AWAITED, "list", "watch")]


def monitoring_reader_rules() -> list[PolicyRuleArgs]:
    """Includes list, so that drift can find undeclared pods, above all in the namespace with access to the nodes."""
    return [*rules(MONITORING_OBJECTS, "get", "list"), *rules(OTHER_PODS, "list")]


def restrictions_reader_rules(settings: Settings) -> list[PolicyRuleArgs]:
    """A refresh reads every object of the stack, including the optional ones."""
    upgrades = settings.upgrades
    optional: dict[str, Sequence[str]] = {}
    if upgrades:
        optional["helm.cattle.io"] = ["helmcharts"]
    if upgrades and upgrades.k3s:
        optional |= {"apiextensions.k8s.io": ["customresourcedefinitions"], "upgrade.cattle.io": ["plans"]}
    return [
        *rules(RESTRICTIONS, "get"),
        *rules(STORAGE_CLASSES, "get"),
        *rules(NODES, "list"),
        *rules(optional, "get"),
    ]


def system_secrets(settings: Settings) -> Sequence[str]:
    """The names of the program's Secrets in kube-system, where k3s has Secrets as well."""
    return [SNAPSHOT_SECRET] if settings.snapshots else []


class Rbac(Component):
    """The two ServiceAccounts and their permissions. Create a token when it is needed: `kubectl create token`."""

    def __init__(self, settings: Settings, *, namespace: Namespace, provider: kubernetes.Provider) -> None:
        super().__init__(
            "cluster:Rbac",
            "identities",
            provider=provider,
            opts=pulumi.ResourceOptions(aliases=[pulumi.Alias(type_="honeydue:cluster:Identities")]),
        )
        child = self.child_options()
        restrictions_reader = ClusterRole(
            RESTRICTIONS_READER,
            metadata=ObjectMetaArgs(name=RESTRICTIONS_READER),
            rules=restrictions_reader_rules(settings),
            opts=child,
        )
        optional = optional_apps(settings)
        for name, permissions in {DEPLOYER: deployer_rules(optional), VIEWER: viewer_rules(optional)}.items():
            ServiceAccount(
                f"{KUBE_SYSTEM}-{name}",
                metadata=ObjectMetaArgs(name=name, namespace=KUBE_SYSTEM),
                automount_service_account_token=False,
                opts=child,
            )
            subjects = _subjects(name)
            metadata = ObjectMetaArgs(name=name, namespace=namespace.name)
            role = Role(name, metadata=metadata, rules=permissions, opts=child)
            RoleBinding(name, metadata=metadata, role_ref=role_reference(role), subjects=subjects, opts=child)
            ClusterRoleBinding(
                f"{RESTRICTIONS_READER}-{name}",
                metadata=ObjectMetaArgs(name=f"{RESTRICTIONS_READER}-{name}"),
                role_ref=role_reference(restrictions_reader),
                subjects=subjects,
                opts=child,
            )
        if names := system_secrets(settings):
            self._let_deployer_read(names)
        self.register_outputs({})

    def _let_deployer_read(self, secrets: Sequence[str]) -> None:
        """The viewer gets no such right: its refresh excludes Secrets."""
        metadata = ObjectMetaArgs(name=DEPLOYER, namespace=KUBE_SYSTEM)
        role = Role(
            f"{KUBE_SYSTEM}-{DEPLOYER}",
            metadata=metadata,
            rules=[PolicyRuleArgs(api_groups=[""], resources=["secrets"], resource_names=secrets, verbs=["get"])],
            opts=self.child_options(),
        )
        RoleBinding(
            f"{KUBE_SYSTEM}-{DEPLOYER}",
            metadata=metadata,
            role_ref=role_reference(role),
            subjects=_subjects(DEPLOYER),
            opts=self.child_options(),
        )


class MonitoringReaders(Component):
    """Lets the deployer and the viewer read the objects of monitoring or of logs, which every refresh does.

    The deployer also reads the `secrets` of a namespace, by name.

    Only the administrator may change them. Otherwise a release could silence the alerts about it, and a pod in these
    namespaces could use the account of an agent.
    """

    def __init__(
        self,
        namespaces: Mapping[str, pulumi.Input[str]],
        *,
        secrets: Mapping[str, Sequence[str]],
        provider: kubernetes.Provider,
        component: str = "monitoring-readers",
    ) -> None:
        super().__init__("cluster:MonitoringReaders", component, provider=provider)
        objects = monitoring_reader_rules()
        for name, namespace in namespaces.items():
            of_deployer = list(objects)
            if name in secrets:
                of_deployer.append(
                    PolicyRuleArgs(api_groups=[""], resources=["secrets"], resource_names=secrets[name], verbs=["get"])
                )
            for account, permissions in {DEPLOYER: of_deployer, VIEWER: objects}.items():
                metadata = ObjectMetaArgs(name=account, namespace=namespace)
                role = Role(f"{name}-{account}", metadata=metadata, rules=permissions, opts=self.child_options())
                RoleBinding(
                    f"{name}-{account}",
                    metadata=metadata,
                    role_ref=role_reference(role),
                    subjects=_subjects(account),
                    opts=self.child_options(),
                )
        self.register_outputs({})


def _subjects(account: str) -> list[SubjectArgs]:
    return [SubjectArgs(kind="ServiceAccount", name=account, namespace=KUBE_SYSTEM)]


def role_reference(role: Role | ClusterRole) -> RoleRefArgs:
    """The role of a binding."""
    return RoleRefArgs(api_group="rbac.authorization.k8s.io", kind=role.kind, name=role.metadata.name)
