"""Cloudflare: its address ranges, the zone's records and TLS settings, the certificates of the origin."""

from infra.edge.origin_certificate import OriginCertificate
from infra.edge.origin_pulls import OriginPulls
from infra.edge.ranges import CloudflareRanges, cloudflare_ranges
from infra.edge.zone import Zone, existing_zone

__all__ = ["CloudflareRanges", "OriginCertificate", "OriginPulls", "Zone", "cloudflare_ranges", "existing_zone"]
