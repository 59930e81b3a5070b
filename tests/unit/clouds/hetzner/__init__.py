"""Tests of the simulated Hetzner Cloud API."""
