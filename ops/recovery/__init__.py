"""Continues an `up` that was killed: what it created may exist without being in the state."""
