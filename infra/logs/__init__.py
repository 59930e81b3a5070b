"""Logs: an agent on every node sends them to VictoriaLogs outside of the cluster."""
