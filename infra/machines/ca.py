"""What makes a node one of the cluster: the join token, and for the node that founds it the certificates of its authority.

k3s takes an authority that stands on its disk before its first start (https://docs.k3s.io/cli/certificate#using-custom-ca-certificates).
Made here, the administrator's certificate can be signed before there is any node: nobody has to fetch a kubeconfig over SSH.
"""

import hashlib
from collections.abc import Mapping

import pulumi
import pulumi_random as random
import pulumi_tls as tls

from infra.component import Component

AUTHORITIES: Mapping[str, str] = {
    "server-ca": "k3s-server-ca",
    "client-ca": "k3s-client-ca",
    "request-header-ca": "k3s-request-header-ca",
    "etcd/peer-ca": "etcd-peer-ca",
    "etcd/server-ca": "etcd-server-ca",
}
"""Files of k3s below server/tls, and the common names it gives its own."""
SERVICE_ACCOUNTS = "service.key"
RSA_BITS = 2048
TOKEN_LENGTH = 48
HOURS = 10 * 365 * 24
"""Ten years, as k3s' own authorities."""


def full_token(server_authority: str, password: str) -> str:
    """In k3s' full form: with the hash of the authority, so that a node tells its own cluster from a stranger's before it asks to join."""
    return f"K10{hashlib.sha256(server_authority.encode()).hexdigest()}::server:{password}"


class Authority(Component):
    """The authority of a cluster that is founded here. One that exists has its own: of that only the token is known, `existing`.

    Attributes:
        token: by which a node joins; secret. With it and a snapshot the cluster can be restored.
        files: PEM by file below /var/lib/rancher/k3s/server/tls, for the founder alone; secret.
        administrator: certificate and key of a member of system:masters; secret. None of an existing cluster.
    """

    token: pulumi.Output[str]
    files: Mapping[str, pulumi.Output[str]]
    administrator: tuple[pulumi.Output[str], pulumi.Output[str]] | None

    def __init__(self, *, existing: pulumi.Output[str] | None) -> None:
        super().__init__("machines:Authority", "authority")
        self.register_outputs({})
        if existing is not None:
            self.token, self.files, self.administrator = existing, {}, None
            return
        keys = {file: self._key(file) for file in AUTHORITIES}
        certificates = {file: self._certificate(file, key) for file, key in keys.items()}
        accounts = tls.PrivateKey("service-accounts", algorithm="RSA", rsa_bits=RSA_BITS, opts=self.child)
        self.files = {
            **{f"{file}.key": pulumi.Output.secret(key.private_key_pem) for file, key in keys.items()},
            **{f"{file}.crt": certificate.cert_pem for file, certificate in certificates.items()},
            SERVICE_ACCOUNTS: pulumi.Output.secret(accounts.private_key_pem),
        }
        password = random.RandomPassword("k3s-token", length=TOKEN_LENGTH, special=False, opts=self.child)
        self.token = pulumi.Output.secret(
            pulumi.Output.all(certificates["server-ca"].cert_pem, password.result).apply(
                lambda parts: full_token(*parts)
            )
        )
        self.administrator = self._administrator(keys["client-ca"], certificates["client-ca"])

    @property
    def child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)

    def _key(self, file: str) -> tls.PrivateKey:
        return tls.PrivateKey(file.replace("/", "-"), algorithm="ECDSA", ecdsa_curve="P256", opts=self.child)

    def _certificate(self, file: str, key: tls.PrivateKey) -> tls.SelfSignedCert:
        return tls.SelfSignedCert(
            file.replace("/", "-"),
            private_key_pem=key.private_key_pem,
            subject=tls.SelfSignedCertSubjectArgs(common_name=AUTHORITIES[file]),
            is_ca_certificate=True,
            set_subject_key_id=True,
            allowed_uses=["cert_signing", "digital_signature", "key_encipherment"],
            validity_period_hours=HOURS,
            opts=self.child,
        )

    def _administrator(
        self, authority_key: tls.PrivateKey, authority: tls.SelfSignedCert
    ) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        key = tls.PrivateKey("administrator", algorithm="ECDSA", ecdsa_curve="P256", opts=self.child)
        request = tls.CertRequest(
            "administrator",
            private_key_pem=key.private_key_pem,
            subject=tls.CertRequestSubjectArgs(common_name="system:admin", organization="system:masters"),
            opts=self.child,
        )
        certificate = tls.LocallySignedCert(
            "administrator",
            cert_request_pem=request.cert_request_pem,
            ca_cert_pem=authority.cert_pem,
            ca_private_key_pem=authority_key.private_key_pem,
            allowed_uses=["client_auth", "digital_signature"],
            # As long as its authority: nothing here renews it in time, and whoever holds it holds the authority's key as well.
            validity_period_hours=HOURS,
            opts=self.child,
        )
        return certificate.cert_pem, pulumi.Output.secret(key.private_key_pem)
