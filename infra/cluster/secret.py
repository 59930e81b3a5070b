"""Secrets of Kubernetes, the one way this program makes them."""

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs


def secret(
    name: str,
    content: Mapping[str, pulumi.Input[str]],
    *,
    namespace: pulumi.Input[str],
    parent: pulumi.Resource,
    type_: str = "Opaque",
) -> Secret:
    """A Secret of this content and nothing else."""
    return Secret(
        name,
        metadata=ObjectMetaArgs(name=name, namespace=namespace),
        type=type_,
        string_data=content,
        # Kubernetes changes no type: an adopted one keeps what it was made with, instead of being replaced under its readers.
        opts=pulumi.ResourceOptions(parent=parent, ignore_changes=["type"]),
    )
