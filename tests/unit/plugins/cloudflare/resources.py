"""A DNS record of the simulated cloudflare plugin."""

from tests.unit.clouds.api import ZONE, ZONE_ID

RECORD = "cloudflare:index/dnsRecord:DnsRecord"
INPUTS = {
    "zoneId": ZONE_ID,
    "name": f"api.{ZONE}",
    "type": "A",
    "ttl": 1,
    "proxied": True,
    "content": "178.104.247.152",
}
