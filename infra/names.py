"""Names that ops/, rehearsal/ and bench/ look up as well. This module does not load an SDK."""

NAMESPACE = "honeydue"
"""The namespace of the apps."""
KUBE_SYSTEM = "kube-system"
"""The namespace of k3s' own add-ons and charts."""


def primary_ip_name(alias: str) -> str:
    """The name of a node's primary IP at Hetzner."""
    return f"{alias}-ipv4"
