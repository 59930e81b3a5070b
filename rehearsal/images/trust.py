"""The certificate authorities that the programs of an image trust."""

from rehearsal.external_authority import external_authority
from rehearsal.images.archive import Layer

TRUSTED_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def trusted_authority() -> Layer:
    """A layer with the authority of the servers outside of the cluster."""
    return {TRUSTED_CERTIFICATES: external_authority().files.certificate.read_bytes()}
