"""Settings of the PostgreSQL server: Neon, or another one."""

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from infra.settings.model import Model
from infra.settings.types import Domain, DurationOrZero, Ipv4Network, NotNegative, Number, Port, Server, Text


class Database(Model):
    """PostgreSQL. `endpoint` selects the host of api and worker. Migrations always use the direct host.

    The server has exactly one name. At Neon it is `pooler_host`, from which the direct host is derived. Another server
    has a `host`, and a `direct_host` as well if `host` is a pooler. `private_cidr` is the private network of that
    server, if it has no public address: the network policies then open its port in this network only.
    """

    pooler_host: Domain | None = None
    other_host: Annotated[Server | None, Field(alias="host")] = None
    other_direct_host: Annotated[Server | None, Field(alias="directHost")] = None
    private_cidr: Ipv4Network | None = None
    endpoint: Literal["pooler", "direct"] = "pooler"
    port: Port = 5432
    name: Text
    user: Text
    ssl_mode: Literal["require", "verify-full"] = "require"
    max_idle_connections: NotNegative
    max_lifetime: DurationOrZero
    max_idle_time: DurationOrZero
    migration_deadline_seconds: Annotated[Number, Field(ge=10, le=3600)]

    @field_validator("pooler_host")
    @classmethod
    def _is_a_pooler(cls, value: str | None) -> str | None:
        if value is not None and not value.split(".", maxsplit=1)[0].endswith("-pooler"):
            raise ValueError(
                "is Neon's direct host. The pooler's was expected: its first label ends in -pooler, and the direct "
                "host is derived from it. For another server than Neon, use host instead"
            )
        return value

    @field_validator("private_cidr")
    @classmethod
    def _is_private(cls, value: IPv4Network | None) -> IPv4Network | None:
        if value is not None and not value.is_private:
            raise ValueError(
                "is not a private network. Without privateCidr, the policies open the port to the internet"
            )
        return value

    @model_validator(mode="after")
    def _has_one_name(self) -> Self:
        if (self.pooler_host is None) == (self.other_host is None):
            raise ValueError("either poolerHost, for Neon, or host, for another server, was expected")
        if self.pooler_host and (self.other_direct_host or self.private_cidr):
            raise ValueError("directHost and privateCidr are not for Neon: remove them, or set host")
        for host in (self.other_host, self.other_direct_host):
            address = _private_address(host)
            if address is not None and (self.private_cidr is None or address not in self.private_cidr):
                raise ValueError(
                    f"{host} is in a private network: privateCidr with it was expected, such as 10.1.0.0/24"
                )
        return self

    @property
    def pooled_host(self) -> str:
        """The host that api and worker use by default: of the pooler, if there is one."""
        host = self.pooler_host or self.other_host
        assert host is not None  # noqa: S101  # one of both is set
        return host

    @property
    def direct_host(self) -> str:
        """The host of the server itself. Session locks do not work through a pooler, which pools by transaction."""
        if self.pooler_host:
            return self.pooler_host.replace("-pooler.", ".", 1)
        return self.other_direct_host or self.pooled_host

    @property
    def host(self) -> str:
        return self.pooled_host if self.endpoint == "pooler" else self.direct_host


def _private_address(host: str | None) -> IPv4Address | None:
    """The host as an address, if it is a private one and not a name."""
    try:
        address = IPv4Address(host or "")
    except ValueError:
        return None
    return address if address.is_private else None
