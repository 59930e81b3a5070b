"""The zone: one proxied DNS record per node and hostname, and Cloudflare's TLS settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from infra.component import Component
from infra.names import hostnames
from infra.sdk import cloudflare
from infra.settings.schema import EdgeSettings

AUTOMATIC_TTL = 1
"""The only TTL that Cloudflare accepts for a proxied record."""


def tls_settings(settings: EdgeSettings) -> Mapping[str, str]:
    """Zone settings by their id. With "strict" (Full (strict)), Cloudflare verifies our origin certificate."""
    return {"ssl": "strict", "always_use_https": "on", "min_tls_version": settings.min_tls_version, "tls_1_3": "on"}


@dataclass(frozen=True, kw_only=True)
class ExistingZone:
    """The ids of a zone and of its account at Cloudflare."""

    id: str
    account_id: str


def existing_zone(domain: str, provider: cloudflare.Provider) -> ExistingZone:
    """Looks the zone up. Raises a RunError if the token's account does not have it."""
    try:
        zone = cloudflare.get_zone(
            filter=cloudflare.GetZoneFilterArgs(name=domain, match="all"), opts=pulumi.InvokeOptions(provider=provider)
        )
        return ExistingZone(id=zone.zone_id, account_id=zone.account.id)
    except Exception as error:  # the SDK raises no narrower type for a failed invoke
        reason = " ".join(str(error).split())
        raise pulumi.RunError(
            f"honeydue:domain holds {domain!r}, and Cloudflare returned no such zone: {reason}. A zone that "
            "honeydue:cloudflareToken may read was expected. Correct the domain (pulumi config set honeydue:domain "
            "DOMAIN), or give the token Zone: Read for this zone."
        ) from error


class Zone(Component):
    """DNS records (round robin over the nodes) and TLS settings of an existing zone.

    A record depends on the server of its node, so that it is created after the server and deleted before it.

    Attributes:
        id: the id of the zone at Cloudflare.
        hosts: FQDN by short name.
    """

    id: str
    hosts: Mapping[str, str]

    def __init__(
        self,
        domain: str,
        settings: EdgeSettings,
        *,
        zone_id: str,
        origins: Mapping[str, pulumi.Output[str]],
        hooks: Mapping[str, pulumi.ResourceHookBinding],
        depends_on: Sequence[pulumi.Resource],
        provider: cloudflare.Provider,
    ) -> None:
        super().__init__("edge:Zone", "zone", provider=provider)
        self.id = zone_id
        self.hosts = hostnames(domain)
        records = [
            cloudflare.DnsRecord(
                f"{name}-{alias}",
                zone_id=self.id,
                name=fqdn,
                type="A",
                content=address,
                proxied=True,
                ttl=AUTOMATIC_TTL,
                # A comment of the dashboard stays. The provider would remove it.
                opts=self.child_options(hooks=hooks[alias], ignore_changes=["comment"], depends_on=depends_on),
            )
            for name, fqdn in self.hosts.items()
            for alias, address in origins.items()
        ]
        # After the records: a stack without this site's addresses fails there, and must not have changed its TLS
        # settings.
        after_records = self.child_options(depends_on=records)
        for setting, value in tls_settings(settings).items():
            # Cloudflare keeps the value of a deleted ZoneSetting, so removing one here would only hide it.
            cloudflare.ZoneSetting(setting, zone_id=self.id, setting_id=setting, value=value, opts=after_records)
        self.register_outputs({"id": self.id, "hosts": self.hosts})
