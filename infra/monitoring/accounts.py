"""The permissions of the ServiceAccounts of monitoring and logs. They read objects, no Secrets, and change nothing."""

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding, PolicyRuleArgs, Role, RoleBinding, SubjectArgs

from infra.cluster.rbac import role_reference
from infra.component import Component
from infra.names import MONITORING


def _subjects(account: str, account_namespace: str) -> list[SubjectArgs]:
    return [SubjectArgs(kind="ServiceAccount", name=account, namespace=account_namespace)]


def grant_everywhere(
    account: str, rules: Sequence[PolicyRuleArgs], *, parent: Component, account_namespace: str = MONITORING
) -> pulumi.Resource:
    """Permissions in the whole cluster. Returns the resource after which the account has them."""
    name = f"honeydue-{account}"
    role = ClusterRole(name, metadata=ObjectMetaArgs(name=name), rules=rules, opts=parent.child_options())
    return ClusterRoleBinding(
        name,
        metadata=ObjectMetaArgs(name=name),
        role_ref=role_reference(role),
        subjects=_subjects(account, account_namespace),
        opts=parent.child_options(),
    )


def grant_in_namespace(
    account: str,
    rules: Sequence[PolicyRuleArgs],
    *,
    namespace: str,
    namespace_name: pulumi.Input[str],
    parent: Component,
    account_namespace: str = MONITORING,
) -> pulumi.Resource:
    """Permissions in one namespace. `namespace_name` may be an output that depends on the namespace."""
    name = f"{namespace}-{account}"
    metadata = ObjectMetaArgs(name=account, namespace=namespace_name)
    role = Role(name, metadata=metadata, rules=rules, opts=parent.child_options())
    return RoleBinding(
        name,
        metadata=metadata,
        role_ref=role_reference(role),
        subjects=_subjects(account, account_namespace),
        opts=parent.child_options(),
    )
