"""The tls provider. It creates real keys, certificate requests and certificates with the `cryptography` library.

It follows terraform-provider-tls 4 (github.com/hashicorp/terraform-provider-tls, docs/resources): an input that is part
of a key or a certificate replaces it. The resources only exist in the stack's state.
"""

# ruff: noqa: PLC0415 - importing cryptography takes 0.1 s, and previews do not need it
from collections.abc import Mapping
from typing import Final

from ..client import Client
from ..kinds import EVERYTHING, Created, Kind
from ..values import Props


def _key(_: Client, props: Props) -> Created:
    from . import keys

    return keys.private_key(props)


def _request(_: Client, props: Props) -> Created:
    from . import certificates

    return certificates.request(props)


def _self_signed(_: Client, props: Props) -> Created:
    from . import certificates

    return certificates.self_signed(props)


def _locally_signed(_: Client, props: Props) -> Created:
    from . import certificates

    return certificates.locally_signed(props)


_CERTIFICATE_INPUTS: Final = frozenset(
    {"allowedUses", "validityPeriodHours", "isCaCertificate", "maxPathLength", "setSubjectKeyId", "setAuthorityKeyId"}
    | {"dnsNames", "ipAddresses", "uris", "subject", "privateKeyPem", "privateKeyPemWoVersion"}
    | {"caCertPem", "certRequestPem", "caPrivateKeyPem", "caPrivateKeyPemWoVersion"}
)
_CERTIFICATE_DEFAULTS: Final = {
    "earlyRenewalHours": 0,
    "isCaCertificate": False,
    "setSubjectKeyId": False,
}

KINDS: Final[Mapping[str, Kind]] = {
    kind.type: kind
    for kind in (
        Kind(
            type="tls:index/privateKey:PrivateKey",
            dialect="framework",
            create=_key,
            replaces=EVERYTHING,
            recomputed=EVERYTHING,
            defaults={"ecdsaCurve": "P224", "rsaBits": 2048},
            choices={"algorithm": ("RSA", "ECDSA", "ED25519"), "ecdsaCurve": ("P224", "P256", "P384", "P521")},
            secrets=frozenset({"privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"}),
        ),
        Kind(
            type="tls:index/certRequest:CertRequest",
            dialect="framework",
            create=_request,
            replaces=EVERYTHING,
            recomputed=EVERYTHING,
            secrets=frozenset({"privateKeyPem", "privateKeyPemWo"}),
        ),
        Kind(
            type="tls:index/selfSignedCert:SelfSignedCert",
            dialect="framework",
            create=_self_signed,
            replaces=_CERTIFICATE_INPUTS,
            recomputed=EVERYTHING,
            defaults={**_CERTIFICATE_DEFAULTS, "setAuthorityKeyId": False},
            secrets=frozenset({"privateKeyPem", "privateKeyPemWo"}),
        ),
        Kind(
            type="tls:index/locallySignedCert:LocallySignedCert",
            dialect="framework",
            create=_locally_signed,
            replaces=_CERTIFICATE_INPUTS,
            recomputed=EVERYTHING,
            defaults=_CERTIFICATE_DEFAULTS,
            secrets=frozenset({"caPrivateKeyPem", "caPrivateKeyPemWo"}),
        ),
    )
}
