"""Metrics and alerts: agents on the nodes, exporters, vmalert and Alertmanager."""
