"""Image signatures: once a key is set, Connaisseur only admits images of ours that are signed with our cosign key.

Connaisseur is used instead of Kyverno or sigstore's policy-controller because its key and its policy are values of its
chart. The others need custom resources, whose CRDs would not exist yet during the `up` that installs them. k3s'
helm-controller installs the chart. https://sse-secure-systems.github.io/connaisseur/
"""

from collections.abc import Mapping, Sequence

from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy, NetworkPolicySpecArgs

from infra.apps.config import pull_secret
from infra.cluster import Cluster
from infra.cluster.helm_chart import Chart, helm_chart
from infra.cluster.network_policies import ClusterAddresses, from_host_network
from infra.cluster.rbac import SIGNATURE_LOGIN
from infra.component import Component
from infra.names import KUBE_SYSTEM, NAMESPACE
from infra.settings.apps import Images
from infra.settings.other_workloads import admitted_repositories
from infra.settings.schema import Settings
from infra.settings.secrets import Secrets

NAME = "connaisseur"
CHART_VERSION = "2.7.1"
REPOSITORY = "https://sse-secure-systems.github.io/connaisseur/charts"
WEBHOOK_PORT = 5000
KEY_ONLY = {"verifyInTransparencyLog": False, "verifySCT": False}
"""Verifies with our key alone.

By default, Connaisseur also requires an entry in sigstore's public transparency log, which would publish the names of
our images, and no pod would start while sigstore's servers are down.
"""


def chart_values(images: Images, public_key: str, others: Sequence[str] = ()) -> Mapping[str, object]:
    """Admits the other images of the admission policy, and verifies all the rest with our key.

    No registry is named, because helm-controller applies a changed value with a delay: until then, images of the new
    registry would be rejected. The admission policy restricts registries.
    """
    return {
        "application": {
            "validators": [
                {"name": "allow", "type": "static", "approve": True},
                {
                    "name": "ours",
                    "type": "cosign",
                    "trustRoots": [{"name": "default", "key": public_key}],
                    "auth": {"secretName": SIGNATURE_LOGIN},
                },
            ],
            "policy": [
                {"pattern": "*:*", "validator": "ours", "with": KEY_ONLY},
                *(
                    {"pattern": f"{_full_name(name)}:*", "validator": "allow"}
                    for name in (*images.other_repositories, *others)
                ),
            ],
            "features": {
                # Only namespaces with the label: when the controller is down, k3s' own pods must still start.
                "namespacedValidation": {"mode": "validate"},
                # Connaisseur replaces tags with digests. In a Deployment, every refresh would report this as drift.
                "resourceValidationMode": "podsOnly",
            },
        }
    }


def _full_name(name: str) -> str:
    """The name with its registry, which Connaisseur uses for comparison. Without one, it is on Docker Hub."""
    registry, slash, _ = name.partition("/")
    if not slash:
        return f"docker.io/library/{name}"
    return name if "." in registry or ":" in registry else f"docker.io/{name}"


def webhook_policy(addresses: ClusterAddresses) -> NetworkPolicySpecArgs:
    """Allows the API server to call the webhook."""
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_labels={"app.kubernetes.io/name": NAME}),
        policy_types=["Ingress"],
        ingress=[from_host_network(WEBHOOK_PORT, addresses)],
    )


class Signatures(Component):
    """The chart, its pull Secret and the policy of its webhook. Empty while no key is set."""

    def __init__(self, settings: Settings, secrets: Secrets, *, cluster: Cluster) -> None:
        super().__init__("apps:Signatures", "signatures", provider=cluster.provider)
        if settings.signed:
            self._install(settings, secrets, cluster.addresses)
        self.register_outputs({})

    def _install(self, settings: Settings, secrets: Secrets, addresses: ClusterAddresses) -> None:
        login = pull_secret(SIGNATURE_LOGIN, settings, secrets, namespace=KUBE_SYSTEM, parent=self)
        policy = NetworkPolicy(
            NAME,
            # kube-score expects the selected pods among our manifests. The chart creates them.
            metadata=ObjectMetaArgs(
                name=NAME, namespace=KUBE_SYSTEM, annotations={"kube-score/ignore": "networkpolicy-targets-pod"}
            ),
            spec=webhook_policy(addresses),
            opts=self.child_options(),
        )
        chart = Chart(
            name=NAME,
            repository=REPOSITORY,
            version=CHART_VERSION,
            values=chart_values(
                settings.images,
                settings.cosign_public_key,
                admitted_repositories(settings.other_workloads.values(), NAMESPACE),
            ),
        )
        helm_chart(chart, self.child_options(depends_on=[login, policy]))
