"""Traefik in front of a world's cluster."""
