"""Tests of the simulated clouds: their HTTP APIs and their state."""
