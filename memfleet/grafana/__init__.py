"""The dashboards, made from Python, and how they get into a Grafana."""
