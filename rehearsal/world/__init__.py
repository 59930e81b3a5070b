"""Worlds: their start and end, their commands and their templates."""
