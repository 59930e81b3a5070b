"""Certificate authorities, certificates and kubeconfigs for the control planes and the external services of a world."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from infra.kubeconfig import Credentials, inline_kubeconfig
from rehearsal.errors import RehearsalError

VALIDITY = timedelta(days=365)
"""Longer than any world lives."""
_BACKDATED = timedelta(hours=1)
"""How far `not_valid_before` lies in the past, so that a clock that is set back does not reject a new certificate."""


PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """The files of a certificate and its private key, in PEM."""

    certificate: Path
    key: Path

    def exists(self) -> bool:
        return self.certificate.exists() and self.key.exists()


def key_pair(folder: Path, name: str) -> KeyPair:
    """The files `<name>.crt` and `<name>.key` in the folder, whether they exist or not."""
    return KeyPair(certificate=folder / f"{name}.crt", key=folder / f"{name}.key")


@dataclass(frozen=True, kw_only=True)
class CertificateAuthority:
    """A certificate authority whose certificate and key are stored as files."""

    files: KeyPair
    _certificate: x509.Certificate
    _key: PrivateKey

    @classmethod
    def load_or_create(cls, folder: Path, name: str) -> Self:
        """Loads the authority `<name>` from the folder, or creates it. Its key must be elliptic or RSA."""
        files = key_pair(folder, name)
        if not files.exists():
            return cls.create(folder, name)
        key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
        if not isinstance(key, PrivateKey):
            raise RehearsalError(f"{files.key} is not a supported key: expected an elliptic curve key or an RSA key")
        return cls(files=files, _certificate=x509.load_pem_x509_certificate(files.certificate.read_bytes()), _key=key)

    @classmethod
    def create(cls, folder: Path, name: str) -> Self:
        """Creates an authority and writes `<name>.crt` and `<name>.key`."""
        key, subject = ec.generate_private_key(ec.SECP256R1()), _subject(name)
        certificate = (
            _builder(subject, issuer=subject, key=key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(key_cert_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        files = key_pair(folder, name)
        files.key.parent.mkdir(parents=True, exist_ok=True)
        write_private(files.key, private_pem(key))
        files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(files=files, _certificate=certificate, _key=key)

    def issue(
        self, folder: Path, name: str, *, common_name: str, organization: str | None = None, hosts: Iterable[str] = ()
    ) -> KeyPair:
        """Issues a client certificate and writes its files. With `hosts` (names, addresses), it is a server's too."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [_general_name(host) for host in hosts]
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if names else [])]
        builder = (
            _builder(_subject(common_name, organization), issuer=self._certificate.subject, key=key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            # Python 3.13 and newer reject a chain without this extension.
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        files = key_pair(folder, name)
        write_private(files.key, private_pem(key))
        files.certificate.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return files


def create_service_account_key(file: Path) -> None:
    """Creates the key that signs service account tokens, unless the file exists."""
    if not file.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        # The API server reads the public key from the same file, and supports only this format.
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        write_private(file, pem)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write_private(file: Path, content: bytes) -> None:
    """Writes a file with mode 0600. The mode is set before the content is written."""
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(content)


def kubeconfig(*, server: str, ca: KeyPair, client: KeyPair, context: str) -> str:
    """A kubeconfig with inline certificates. Its cluster, user and context all have the name `context`."""
    credentials = Credentials(
        ca_certificate=ca.certificate.read_text(),
        client_certificate=client.certificate.read_text(),
        client_key=client.key.read_text(),
    )
    return inline_kubeconfig(credentials, server=server, context=context)


def _subject(common_name: str, organization: str | None = None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _builder(subject: x509.Name, *, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + VALIDITY)
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
