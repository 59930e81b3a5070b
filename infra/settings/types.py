"""Types of single values, each with a message about what was expected."""

import re
from collections.abc import Mapping, Sized
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field


def matching(pattern: str, expected: str) -> AfterValidator:
    """Accepts text that matches the pattern. The error describes the expected value instead of the pattern."""

    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(f"{expected} was expected")
        return value

    return AfterValidator(check)


def not_empty(value: Sized) -> Sized:
    """Rejects an empty list or mapping."""
    if not value:
        raise ValueError("at least one was expected")
    return value


def existing_time_zone(value: str) -> str:
    """Accepts the name of a time zone in the IANA database."""
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError) as error:
        # ZoneInfo raises each of them: for a path, a directory of zones and an unknown name.
        raise ValueError('a time zone such as "Europe/Berlin" was expected') from error
    return value


def _existing_port(url: str) -> str:
    """Accepts a URL without a port, or with one that exists."""
    try:
        port = urlsplit(url).port
    except ValueError:
        port = 0
    if port is not None and port not in PORTS:
        raise ValueError(f"a port from {PORTS.start} to {PORTS[-1]} was expected")
    return url


def _address(value: object) -> IPv4Address:
    # IPv4Address also accepts a number, and YAML reads an address without dots as a number.
    try:
        return IPv4Address(str(value))
    except AddressValueError as error:
        raise ValueError('an IPv4 address such as "203.0.113.7" was expected') from error


def _network(value: object) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(str(value), strict=False)
    except ValueError as error:
        raise ValueError('a network such as "203.0.113.0/24" was expected') from error
    try:
        return ip_network(str(value))
    except ValueError as error:
        raise ValueError(f"is an address of a network. The network was expected: {network}") from error


def _ipv4_network(value: object) -> IPv4Network:
    network = _network(value)
    if isinstance(network, IPv6Network):
        raise ValueError('an IPv4 network such as "10.42.0.0/16" was expected')
    return network


def _addresses(value: object) -> object:
    if value in ("internet", "nodes"):
        return value
    try:
        return _ipv4_network(value)
    except ValueError as error:
        raise ValueError('internet, nodes or an IPv4 network such as "10.42.0.0/16" was expected') from error


def not_boolean(value: object) -> object:
    """Rejects true and false, which Python would convert to 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("a number was expected")
    return value


Address = Annotated[IPv4Address, BeforeValidator(_address)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Ipv4Network = Annotated[IPv4Network, BeforeValidator(_ipv4_network)]
Addresses = Annotated[Literal["internet", "nodes"] | IPv4Network, BeforeValidator(_addresses)]
Text = Annotated[str, matching(r"[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*", "one line of text")]
Number = Annotated[int, BeforeValidator(not_boolean)]
Count = Annotated[Number, Field(ge=1)]
NotNegative = Annotated[Number, Field(ge=0)]
PORTS = range(1, 65536)
Port = Annotated[Number, Field(ge=PORTS.start, le=PORTS[-1])]
Price = Annotated[float, BeforeValidator(not_boolean), Field(ge=0, allow_inf_nan=False)]
Date = Annotated[str, matching(r"\d{4}-\d{2}-\d{2}", 'a date such as "2026-04-24", in quotes,')]
VariableName = Annotated[
    str, matching(r"[A-Za-z_][A-Za-z0-9_]*", "a name of letters, digits and underscores that begins with no digit")
]
_UNIT_SECONDS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
"""The seconds of each unit of a duration such as "5m"."""
Registry = Annotated[
    str,
    matching(
        r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*",
        "a registry and the owner of the images, without https:// and without a slash at the end, such as "
        '"docker.io/honeydue",',
    ),
]
Email = Annotated[str, matching(r"[^@\s]+@[^@\s]+", "an e-mail address")]
Hostname = Annotated[
    str, matching(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "a host name of lowercase letters, digits and hyphens")
]
Domain = Annotated[str, matching(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}", "a full domain name in lowercase")]
Server = Annotated[
    str,
    matching(
        r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}|((25[0-5]|2[0-4]\d|1?\d?\d)(\.(?!$)|$)){4}",
        "a full domain name in lowercase, or an IPv4 address",
    ),
]
"""The host of a server that clients do not have to verify by its name."""
# A tag that moves would change what runs without a release. With a digest, it cannot: the registry may not even serve
# another image.
_TAG = r"(?!latest(@|$))\w[\w.-]{0,62}(@sha256:[0-9a-f]{64})?"
Tag = Annotated[
    str, matching(_TAG, 'an image tag other than "latest", such as a git commit, with or without @sha256:<digest>,')
]
Image = Annotated[
    str,
    matching(rf"[a-z0-9./_-]+:{_TAG}", 'an image with a tag other than "latest", with or without @sha256:<digest>,'),
]
Repository = Annotated[
    str,
    matching(
        r"([a-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*",
        'the repository of an image without a tag, such as "victoriametrics/vmagent",',
    ),
]


def seconds(duration: str) -> int:
    """The seconds of a duration such as "15m". Raises a ValueError for any other text."""
    match = re.fullmatch(r"(\d+)([smhd])", duration)
    if match is None:
        raise ValueError(f'{duration!r}: a duration such as "15m" was expected')
    return int(match[1]) * _UNIT_SECONDS[match[2]]


def repository(image: str) -> str:
    """The repository of an image, without tag and digest. The registry may have a port."""
    name = image.partition("@")[0]
    return name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name


def registry_host(image: str) -> str:
    """The registry of an image or a repository. An image whose name has none is on Docker Hub."""
    host, slash, _ = image.partition("/")
    return host if slash and ("." in host or ":" in host) else "docker.io"


Quantity = Annotated[str, matching(r"[1-9][0-9]*(Mi|Gi)", 'a size such as "5Gi"')]
PublicKey = Annotated[
    str, matching(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-\S+|sk-\S+) [A-Za-z0-9+/=]+( .*)?", "an OpenSSH public key")
]
PublicKeyPem = Annotated[
    str,
    matching(
        r"\s*-----BEGIN PUBLIC KEY-----\s[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*",
        "a public key as in cosign.pub (PEM)",
    ),
]
Duration = Annotated[str, matching(r"[1-9][0-9]*(ms|s|m|h)", 'a duration such as "1s"')]
DurationOrZero = Annotated[str, matching(r"0|([0-9]+(ms|s|m|h))+", 'a duration such as "30m", or "0",')]
K3sVersion = Annotated[str, matching(r"v1\.\d+\.\d+\+k3s\d+", 'a release of k3s such as "v1.34.6+k3s1"')]
Sha256 = Annotated[str, matching(r"[0-9a-f]{64}", "a SHA-256 checksum in hexadecimal digits")]
TimeOfDay = Annotated[str, matching(r"([01][0-9]|2[0-3]):[0-5][0-9]", 'a time of day such as "02:00", in quotes,')]
TimeZone = Annotated[str, AfterValidator(existing_time_zone)]
HttpsUrl = Annotated[
    str,
    matching(
        r"https://([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}(:[0-9]{1,5})?(/[\w.~-]+)*",
        'an address such as "https://obs.example.com", without a user, a query and a slash at the end,',
    ),
    AfterValidator(_existing_port),
]
UrlPath = Annotated[str, matching(r"(/[\w.~-]*)+", 'a path such as "/metrics"')]
MetricName = Annotated[str, matching(r"[a-zA-Z_:][a-zA-Z0-9_:]*", "the name of a Prometheus metric")]
BucketName = Annotated[str, matching(r"[A-Za-z0-9][A-Za-z0-9-]{4,61}[A-Za-z0-9]", "the name of a bucket")]
