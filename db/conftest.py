"""Pytest configuration: Alembic's files only run under Alembic, so doctests skip them."""

collect_ignore = ["migrations"]
