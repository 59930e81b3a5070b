"""Tests of the simulated provider plugins."""
