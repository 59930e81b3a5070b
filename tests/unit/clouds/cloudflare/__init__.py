"""Tests of the simulated Cloudflare API."""
