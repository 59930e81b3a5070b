"""Pushes the dashboards to Grafana: `make dashboards`."""
