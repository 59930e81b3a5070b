"""Hetzner Cloud: addresses that outlive servers, the firewall, the servers."""
