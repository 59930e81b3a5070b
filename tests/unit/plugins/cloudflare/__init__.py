"""Tests of the simulated cloudflare plugin."""
