"""The namespaces of Kubernetes, which the program changes and does not create."""

import pytest

from tests.unit.capture import Capture


@pytest.mark.parametrize("namespace", ["default", "kube-public", "kube-node-lease"])
def test_pod_security_is_restricted_in_the_namespaces_of_kubernetes(program: Capture, namespace: str) -> None:
    """Nodes that were installed by hand have no default for namespaces without a label."""
    labels = program.resource("NamespacePatch", namespace).inputs["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
