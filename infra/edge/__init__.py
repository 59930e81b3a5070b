"""Cloudflare: its published ranges, the zone's records and TLS settings, the origin certificate."""
