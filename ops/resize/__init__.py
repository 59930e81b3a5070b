"""Resizes a server: its node is drained first, and the server is powered on again whatever the result is."""
