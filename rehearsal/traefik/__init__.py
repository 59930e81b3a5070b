"""Traefik before a world's Services."""
