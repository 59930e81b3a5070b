"""Simulated hcloud, cloudflare, tls and random providers.

They implement Pulumi's provider protocol and use real cryptography. The state of a cloud is a JSON file.
"""
