"""Creates certificate requests and certificates."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..client import ApiError
from ..kinds import Created
from ..values import Props
from .keys import Key, algorithm, load_key

_SUBJECT: Final = {
    "commonName": NameOID.COMMON_NAME,
    "country": NameOID.COUNTRY_NAME,
    "province": NameOID.STATE_OR_PROVINCE_NAME,
    "locality": NameOID.LOCALITY_NAME,
    "streetAddresses": NameOID.STREET_ADDRESS,
    "organization": NameOID.ORGANIZATION_NAME,
    "organizationalUnit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "postalCode": NameOID.POSTAL_CODE,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "emailAddress": NameOID.EMAIL_ADDRESS,
}

_EXTENDED: Final = {
    "any_extended": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code_signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email_protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ocsp_signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
}

# The order is that of the arguments of x509.KeyUsage.
_KEY_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "cert_signing",
    "crl_signing",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True)
class _Issuer:
    name: x509.Name
    key: Key
    key_id: x509.AuthorityKeyIdentifier | None


def request(props: Props) -> Created:
    """Creates a certificate signing request for an existing key."""
    key = _key(props, "privateKeyPem")
    builder = x509.CertificateSigningRequestBuilder().subject_name(_name(props))
    names = _names(props)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    pem = builder.sign(key, _digest(key)).public_bytes(serialization.Encoding.PEM).decode()
    return Created(
        hashlib.sha1(pem.encode(), usedforsecurity=False).hexdigest(),
        {"certRequestPem": pem, "keyAlgorithm": algorithm(key)},
    )


def self_signed(props: Props) -> Created:
    """Creates a certificate that is signed with its own key."""
    key = _key(props, "privateKeyPem")
    authority_key_id = (
        x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()) if props.get("setAuthorityKeyId") else None
    )
    issuer = _Issuer(_name(props), key, authority_key_id)
    certificate = _certificate(
        props, subject=issuer.name, public_key=key.public_key(), names=_names(props), issuer=issuer
    )
    return Created(certificate.id, {**certificate.properties, "keyAlgorithm": algorithm(key)})


def locally_signed(props: Props) -> Created:
    """Creates a certificate for a certificate request, signed by a CA of the program."""
    try:
        csr = x509.load_pem_x509_csr(props["certRequestPem"].encode())
        ca = x509.load_pem_x509_certificate(props["caCertPem"].encode())
    except ValueError:
        raise ApiError(
            "certRequestPem must be a certificate request in PEM format, and caCertPem a certificate"
        ) from None
    key = _key(props, "caPrivateKeyPem")
    try:
        names = list(csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        names = []
    issuer = _Issuer(ca.subject, key, x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()))
    certificate = _certificate(props, subject=csr.subject, public_key=csr.public_key(), names=names, issuer=issuer)
    return Created(certificate.id, {**certificate.properties, "caKeyAlgorithm": algorithm(key)})


def _certificate(
    props: Props,
    *,
    subject: x509.Name,
    public_key: CertificatePublicKeyTypes,
    names: list[x509.GeneralName],
    issuer: _Issuer,
) -> Created:
    start = datetime.now(UTC).replace(microsecond=0)
    end = start + timedelta(hours=props["validityPeriodHours"])
    serial = x509.random_serial_number()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.name)
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(end)
    )
    for extension, critical in _extensions(props, public_key, names, issuer):
        builder = builder.add_extension(extension, critical=critical)
    pem = builder.sign(issuer.key, _digest(issuer.key)).public_bytes(serialization.Encoding.PEM).decode()
    return Created(
        str(serial),
        {
            "certPem": pem,
            "readyForRenewal": False,
            "validityStartTime": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "validityEndTime": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
    )


def _extensions(
    props: Props, public_key: CertificatePublicKeyTypes, names: list[x509.GeneralName], issuer: _Issuer
) -> list[tuple[x509.ExtensionType, bool]]:
    uses: list[str] = props["allowedUses"]
    unknown = sorted({*uses} - {*_EXTENDED} - {*_KEY_USAGES})
    if unknown:
        raise ApiError(f"allowedUses: unknown {', '.join(unknown)}")
    is_ca = bool(props.get("isCaCertificate"))
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=is_ca, path_length=props.get("maxPathLength") if is_ca else None), True)
    ]
    flags = [use in uses for use in _KEY_USAGES]
    if any(flags):
        extensions.append((x509.KeyUsage(*flags), True))
    extended = [_EXTENDED[use] for use in uses if use in _EXTENDED]
    if extended:
        extensions.append((x509.ExtendedKeyUsage(extended), False))
    if names:
        extensions.append((x509.SubjectAlternativeName(names), False))
    if props.get("setSubjectKeyId") or is_ca:
        extensions.append((x509.SubjectKeyIdentifier.from_public_key(public_key), False))
    if issuer.key_id is not None:
        extensions.append((issuer.key_id, False))
    return extensions


def _key(props: Props, name: str) -> Key:
    pem = props.get(name) or props.get(f"{name}Wo")
    if not pem:
        raise ApiError(f"{name} is required")
    return load_key(pem)


def _name(props: Props) -> x509.Name:
    subject: Props = props.get("subject") or {}
    parts = []
    for field, oid in _SUBJECT.items():
        values = subject.get(field) or []
        parts += [x509.NameAttribute(oid, value) for value in (values if isinstance(values, list) else [values])]
    return x509.Name(parts)


def _names(props: Props) -> list[x509.GeneralName]:
    return [
        *(x509.DNSName(name) for name in props.get("dnsNames") or []),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in props.get("ipAddresses") or []),
        *(x509.UniformResourceIdentifier(uri) for uri in props.get("uris") or []),
    ]


def _digest(key: Key) -> hashes.SHA256 | None:
    # Ed25519 signatures include the hash function.
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
