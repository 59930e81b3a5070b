"""The zone: one proxied record per node and name, and how Cloudflare speaks TLS (book ch13)."""

from collections.abc import Mapping

import pulumi

from infra.component import Component
from infra.sdk import cloudflare
from infra.settings.schema import EdgeSettings

AUTOMATIC_TTL = 1
"""The only TTL Cloudflare accepts for a proxied record."""


def hostnames(domain: str) -> Mapping[str, str]:
    """The names the site answers to: what each is called here, and its FQDN."""
    return {
        "api": f"api.{domain}",
        "admin": f"admin.{domain}",
        "app": f"app.{domain}",
        "apex": domain,
    }


def tls_settings(settings: EdgeSettings) -> Mapping[str, str]:
    """Zone settings by Cloudflare's id. Full (strict): the edge checks our origin certificate."""
    return {"ssl": "strict", "always_use_https": "on", "min_tls_version": settings.min_tls_version, "tls_1_3": "on"}


class Zone(Component):
    """Records (round robin over the nodes) and TLS settings of an existing zone.

    Attributes:
        id: Cloudflare's zone id.
        hosts: FQDN by what it is called here.
    """

    id: str
    hosts: Mapping[str, str]

    def __init__(
        self,
        domain: str,
        settings: EdgeSettings,
        *,
        origins: Mapping[str, pulumi.Output[str]],
        provider: cloudflare.Provider,
    ) -> None:
        super().__init__("edge:Zone", "zone", provider=provider)
        self.id = cloudflare.get_zone(
            filter=cloudflare.GetZoneFilterArgs(name=domain, match="all"), opts=pulumi.InvokeOptions(provider=provider)
        ).zone_id
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
                opts=pulumi.ResourceOptions(parent=self),
            )
            for name, fqdn in self.hosts.items()
            for alias, address in origins.items()
        ]
        # After the records: a stack that meets a site it does not own stops at its addresses, and must not have changed how it is served.
        after_records = pulumi.ResourceOptions(parent=self, depends_on=records)
        for setting, value in tls_settings(settings).items():
            # Deleting a ZoneSetting leaves its value live, so removing one here would only hide it.
            cloudflare.ZoneSetting(setting, zone_id=self.id, setting_id=setting, value=value, opts=after_records)
        self.register_outputs({"id": self.id, "hosts": self.hosts})
