"""A world on one machine in which production's own program really runs: real engine, real control plane, simulated clouds."""
