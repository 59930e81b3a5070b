"""Simulated hcloud, cloudflare, tls and random providers: real protocol and cryptography, a file for a cloud."""
