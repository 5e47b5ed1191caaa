"""Queries of the history."""
