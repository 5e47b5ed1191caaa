"""Grafana's dashboards, written down: `python -m deploy.dashboards` makes `deploy/grafana/dashboards/*.json`.

A dashboard is sections of panels, a panel its question, its queries and its unit. The JSON is what Grafana
reads and is kept in git too; a test holds that it is what these modules say.
"""
