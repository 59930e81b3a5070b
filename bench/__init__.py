"""Benchmarks: a preview and a release, each compared with a minimal alternative in the same world."""
