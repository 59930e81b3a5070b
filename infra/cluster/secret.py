"""Kubernetes Secrets. All Secrets of this program are created here."""

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.component import Component


def secret(
    name: str,
    content: Mapping[str, pulumi.Input[str]],
    *,
    namespace: pulumi.Input[str],
    parent: Component,
    type_: str = "Opaque",
) -> Secret:
    """A Secret with this content."""
    return Secret(
        name,
        metadata=ObjectMetaArgs(name=name, namespace=namespace),
        type=type_,
        string_data=content,
        # The type is immutable. An adopted Secret keeps its type instead of being replaced while pods use it.
        opts=parent.child_options(ignore_changes=["type"]),
    )
