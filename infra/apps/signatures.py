"""Image signatures, once there is a key: Connaisseur admits our images only when our cosign key signed them (book ch20).

Connaisseur and not Kyverno or sigstore's policy-controller: its key and policy are values of its chart, where the others take
custom resources whose definitions would not exist yet at the `up` that installs them. k3s' helm-controller installs it.
https://sse-secure-systems.github.io/connaisseur/
"""

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy, NetworkPolicySpecArgs

from infra.apps.config import pull_secret
from infra.cluster.helm_chart import HOME, Chart, helm_chart
from infra.cluster.namespace import Namespace
from infra.cluster.network_policies import Network, from_hosts
from infra.cluster.rbac import SIGNATURE_LOGIN
from infra.component import Component
from infra.settings.apps import Images
from infra.settings.schema import Settings
from infra.settings.secrets import Secrets

NAME = "connaisseur"
CHART_VERSION = "2.7.1"
REPOSITORY = "https://sse-secure-systems.github.io/connaisseur/charts"
WEBHOOK_PORT = 5000


def chart_values(images: Images, public_key: str) -> Mapping[str, object]:
    """Ours by our key; what is not ours was never signed by us, and admission names it; all else is refused here, too."""
    return {
        "application": {
            "validators": [
                {"name": "allow", "type": "static", "approve": True},
                {"name": "deny", "type": "static", "approve": False},
                {
                    "name": "ours",
                    "type": "cosign",
                    "trustRoots": [{"name": "default", "key": public_key}],
                    "auth": {"secretName": SIGNATURE_LOGIN},
                },
            ],
            "policy": [
                {"pattern": "*:*", "validator": "deny"},
                {"pattern": f"{images.registry}/*:*", "validator": "ours"},
                *({"pattern": f"{_on_docker_hub(name)}:*", "validator": "allow"} for name in images.other_repositories),
            ],
            "features": {
                # Only namespaces that carry the label: a controller that is down must not keep k3s' own pods from starting.
                "namespacedValidation": {"mode": "validate"},
                # It pins tags to digests as it admits; in a Deployment that would read as drift at every refresh.
                "resourceValidationMode": "podsOnly",
            },
        }
    }


def _on_docker_hub(name: str) -> str:
    """In full, as Connaisseur compares names."""
    return name if "/" in name else f"docker.io/library/{name}"


def webhook_policy(network: Network) -> NetworkPolicySpecArgs:
    """The API server asks it before every pod."""
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_labels={"app.kubernetes.io/name": NAME}),
        policy_types=["Ingress"],
        ingress=[from_hosts(WEBHOOK_PORT, network)],
    )


class Signatures(Component):
    """The chart, the login it reads signatures with, and the way to it; nothing while no key is configured."""

    def __init__(self, settings: Settings, secrets: Secrets, *, namespace: Namespace) -> None:
        super().__init__("apps:Signatures", "signatures", provider=namespace.provider)
        self.register_outputs({})
        if not settings.signed:
            return
        child = pulumi.ResourceOptions(parent=self)
        login = pull_secret(SIGNATURE_LOGIN, settings, secrets, namespace=HOME, parent=self)
        policy = NetworkPolicy(
            NAME,
            # kube-score looks for its pods among our manifests; the chart makes them.
            metadata=ObjectMetaArgs(
                name=NAME, namespace=HOME, annotations={"kube-score/ignore": "networkpolicy-targets-pod"}
            ),
            spec=webhook_policy(namespace.network),
            opts=child,
        )
        chart = Chart(
            name=NAME,
            repository=REPOSITORY,
            version=CHART_VERSION,
            values=chart_values(settings.images, settings.cosign_public_key),
        )
        helm_chart(chart, pulumi.ResourceOptions(parent=self, depends_on=[login, policy]))
