"""Rehearses a change of production on one machine: real Pulumi engine, real control plane, simulated clouds."""
