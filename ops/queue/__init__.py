"""Saves the cache and the queue in redis to a file, and restores them into a new volume."""
