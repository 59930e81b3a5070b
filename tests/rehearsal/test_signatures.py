"""The objects that a cosign key adds to the cluster. k3s installs the chart, which a rehearsal does not run."""

import json

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rehearsal.world.world import World


def test_a_cosign_key_installs_the_admission_controller_and_restarts_no_pod(production: World) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    key = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    production.set_config("honeydue:cosignPublicKey", key)
    steps = json.loads(production.pulumi("preview", "--json").stdout)["steps"]
    production.set_config("honeydue:cosignPublicKey", None)
    changes = {
        (step["op"], step["urn"].split("$")[-1].replace("kubernetes:", "", 1)) for step in steps if step["op"] != "same"
    }
    assert changes == {
        ("create", "core/v1:Secret::connaisseur-registry"),
        ("create", "networking.k8s.io/v1:NetworkPolicy::connaisseur"),
        ("create", "helm.cattle.io/v1:HelmChart::connaisseur"),
        # For the Secret with the registry's login, which the deployer applies.
        ("create", "rbac.authorization.k8s.io/v1:Role::kube-system-deployer"),
        ("create", "rbac.authorization.k8s.io/v1:RoleBinding::kube-system-deployer"),
        ("update", "core/v1:Namespace::honeydue"),
        ("update", "rbac.authorization.k8s.io/v1:ClusterRole::honeydue-guards"),
    }
