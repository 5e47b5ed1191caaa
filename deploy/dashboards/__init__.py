"""Grafana dashboards as code: `python -m deploy.dashboards` writes `deploy/grafana/dashboards/*.json`.

A dashboard consists of sections of panels; a panel has a title, an explanation, queries and a unit. The JSON
that Grafana reads is in git; a test compares it with these modules.
"""
