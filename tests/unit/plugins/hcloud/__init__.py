"""Tests of the simulated hcloud plugin."""
