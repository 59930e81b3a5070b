"""The join token of the cluster and, for a cluster that this program bootstraps, its certificate authorities.

k3s uses CA certificates that exist on disk before its first start:
https://docs.k3s.io/cli/certificate#using-custom-ca-certificates. Because the program creates them, it can sign the
administrator's certificate before any node exists, and no kubeconfig has to be copied over SSH.
"""

import hashlib
from collections.abc import Mapping

import pulumi
import pulumi_random as random
import pulumi_tls as tls

from infra.component import Component

CA_COMMON_NAMES: Mapping[str, str] = {
    "server-ca": "k3s-server-ca",
    "client-ca": "k3s-client-ca",
    "request-header-ca": "k3s-request-header-ca",
    "etcd/peer-ca": "etcd-peer-ca",
    "etcd/server-ca": "etcd-server-ca",
}
"""The CAs of k3s by file name below server/tls, with the common names that k3s itself uses."""
SERVICE_ACCOUNT_KEY = "service.key"
RSA_BITS = 2048
TOKEN_LENGTH = 48
VALIDITY_HOURS = 10 * 365 * 24
"""Ten years, like the CA certificates that k3s generates."""


def secure_token(server_ca_certificate: str, password: str) -> str:
    """A join token in the secure format: https://docs.k3s.io/cli/token.

    It contains the hash of the CA certificate, so that a joining node can verify the cluster before it sends the
    password.
    """
    return f"K10{hashlib.sha256(server_ca_certificate.encode()).hexdigest()}::server:{password}"


class ClusterCA(Component):
    """The certificate authorities and the join token of the cluster.

    The CAs of an existing cluster are on its servers. The program only knows its join token, from the settings.

    Attributes:
        join_token: secret. With it and a snapshot, the cluster can be restored.
        files: PEM by file name below /var/lib/rancher/k3s/server/tls, for the init node only; secret.
        administrator: certificate and key of a member of system:masters; secret. None for an existing cluster.
    """

    join_token: pulumi.Output[str]
    files: Mapping[str, pulumi.Output[str]]
    administrator: tuple[pulumi.Output[str], pulumi.Output[str]] | None

    def __init__(self, *, join_token: pulumi.Output[str] | None) -> None:
        super().__init__(
            "machines:ClusterCA",
            "authority",
            opts=pulumi.ResourceOptions(aliases=[pulumi.Alias(type_="honeydue:machines:Authority")]),
        )
        if join_token is not None:
            self.join_token, self.files, self.administrator = join_token, {}, None
        else:
            self._create()
        self.register_outputs({})

    def _create(self) -> None:
        keys = {file: self._ca_key(file) for file in CA_COMMON_NAMES}
        certificates = {file: self._ca_certificate(file, key) for file, key in keys.items()}
        service_accounts = tls.PrivateKey(
            "service-accounts", algorithm="RSA", rsa_bits=RSA_BITS, opts=self.child_options()
        )
        self.files = {
            **{f"{file}.key": pulumi.Output.secret(key.private_key_pem) for file, key in keys.items()},
            **{f"{file}.crt": certificate.cert_pem for file, certificate in certificates.items()},
            SERVICE_ACCOUNT_KEY: pulumi.Output.secret(service_accounts.private_key_pem),
        }
        password = random.RandomPassword("k3s-token", length=TOKEN_LENGTH, special=False, opts=self.child_options())
        self.join_token = pulumi.Output.secret(
            pulumi.Output.all(certificates["server-ca"].cert_pem, password.result).apply(
                lambda parts: secure_token(*parts)
            )
        )
        self.administrator = self._administrator(keys["client-ca"], certificates["client-ca"])

    def _ca_key(self, file: str) -> tls.PrivateKey:
        return tls.PrivateKey(file.replace("/", "-"), algorithm="ECDSA", ecdsa_curve="P256", opts=self.child_options())

    def _ca_certificate(self, file: str, key: tls.PrivateKey) -> tls.SelfSignedCert:
        return tls.SelfSignedCert(
            file.replace("/", "-"),
            private_key_pem=key.private_key_pem,
            subject=tls.SelfSignedCertSubjectArgs(common_name=CA_COMMON_NAMES[file]),
            is_ca_certificate=True,
            set_subject_key_id=True,
            allowed_uses=["cert_signing", "digital_signature", "key_encipherment"],
            validity_period_hours=VALIDITY_HOURS,
            opts=self.child_options(),
        )

    def _administrator(
        self, ca_key: tls.PrivateKey, ca_certificate: tls.SelfSignedCert
    ) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        key = tls.PrivateKey("administrator", algorithm="ECDSA", ecdsa_curve="P256", opts=self.child_options())
        request = tls.CertRequest(
            "administrator",
            private_key_pem=key.private_key_pem,
            subject=tls.CertRequestSubjectArgs(common_name="system:admin", organization="system:masters"),
            opts=self.child_options(),
        )
        certificate = tls.LocallySignedCert(
            "administrator",
            cert_request_pem=request.cert_request_pem,
            ca_cert_pem=ca_certificate.cert_pem,
            ca_private_key_pem=ca_key.private_key_pem,
            allowed_uses=["client_auth", "digital_signature"],
            # Valid as long as its CA: nothing renews it, and the state contains the key of the CA as well.
            validity_period_hours=VALIDITY_HOURS,
            opts=self.child_options(),
        )
        return certificate.cert_pem, pulumi.Output.secret(key.private_key_pem)
