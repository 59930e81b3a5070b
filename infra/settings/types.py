"""The forms that single values of the settings take, and what is said of a value that has another."""

import re
from collections.abc import Sized
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator


def like(pattern: str, expected: str) -> AfterValidator:
    """A text of this form; the message says what was expected instead of showing a pattern."""

    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(f"{expected} was expected")
        return value

    return AfterValidator(check)


def some(value: Sized) -> Sized:
    """Not empty."""
    if not value:
        raise ValueError("at least one was expected")
    return value


def known_zone(value: str) -> str:
    """A time zone that exists."""
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError) as error:
        # Which of them depends on what was written: a path, a folder of zones, an unknown name.
        raise ValueError('a time zone such as "Europe/Berlin" was expected') from error
    return value


Email = Annotated[str, like(r"[^@\s]+@[^@\s]+", "an e-mail address")]
Hostname = Annotated[
    str, like(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "a host name of small letters, digits and hyphens")
]
Domain = Annotated[str, like(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}", "a full domain name in small letters")]
# A tag that moves would change what runs without a release.
Tag = Annotated[str, like(r"(?!latest$)\w[\w.-]{0,62}", 'an image tag other than "latest", such as a git commit,')]
Image = Annotated[str, like(r"[a-z0-9./_-]+:(?!latest$)\w[\w.-]{0,62}", 'an image with a tag other than "latest"')]
Quantity = Annotated[str, like(r"[1-9][0-9]*(Mi|Gi)", 'a size such as "5Gi"')]
PublicKey = Annotated[
    str, like(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-\S+|sk-\S+) [A-Za-z0-9+/=]+( .*)?", "an OpenSSH public key")
]
PublicKeyPem = Annotated[
    str,
    like(
        r"\s*-----BEGIN PUBLIC KEY-----\s[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*",
        "a public key as cosign.pub holds it (PEM)",
    ),
]
Duration = Annotated[str, like(r"[1-9][0-9]*(ms|s|m|h)", 'a duration such as "1s"')]
K3sVersion = Annotated[str, like(r"v1\.\d+\.\d+\+k3s\d+", 'a release of k3s such as "v1.34.6+k3s1"')]
Sha256 = Annotated[str, like(r"[0-9a-f]{64}", "a SHA-256 checksum in hexadecimal digits")]
TimeOfDay = Annotated[str, like(r"([01][0-9]|2[0-3]):[0-5][0-9]", 'a time of day such as "02:00", in quotes,')]
TimeZone = Annotated[str, AfterValidator(known_zone)]
BucketName = Annotated[str, like(r"[A-Za-z0-9][A-Za-z0-9-]{4,61}[A-Za-z0-9]", "the name of a bucket")]
