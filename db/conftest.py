"""Alembic's files only run under Alembic, so the doctests pass them by."""

collect_ignore = ["migrations"]
