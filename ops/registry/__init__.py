"""Reads image registries: digests, labels and signatures."""
